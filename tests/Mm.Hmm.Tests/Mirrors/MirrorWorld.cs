using System.Text;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>The real thing under a random program: a machine with two devices of one kind, a process, and sometimes its child.</summary>
/// <remarks>Keeps the program as a recording would hold it, so that what fails can be replayed by <c>mm conform</c>.</remarks>
internal sealed class MirrorWorld : IDisposable
{
    private static readonly string[] Refusals = ["ENOMEM", "EFAULT", "ENOENT", "EBUSY", "SIGBUS"];

    private readonly MirrorMemoryKind kind;
    private readonly StringBuilder lines = new();
    private bool isFailed;

    internal MirrorWorld(MirrorMemoryKind kind, Action<AddressSpaces>? plant = null, LinuxProfile? profile = null)
    {
        this.kind = kind;
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(4)))
            .WithProfile(profile ?? LinuxProfile.V612)
            .Build();
        Devices = [MakeDevice(0), MakeDevice(1)];
        plant?.Invoke(Machine.Spaces);
        Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Parent = new MirrorProcess(Machine, Devices, space!);
    }

    internal Machine Machine { get; }

    internal MirrorDevice[] Devices { get; }

    internal MirrorProcess Parent { get; }

    internal MirrorProcess? Child { get; private set; }

    /// <summary>The program so far, as a recording.</summary>
    internal string Recording =>
        $"program 0 {(kind == MirrorMemoryKind.Private ? "private" : "coherent")}\n{lines}end\n";

    /// <summary>Does a step, first with what it makes fail, and compares.</summary>
    /// <param name="step">The step.</param>
    /// <param name="before">The reference before.</param>
    internal void Run(MirrorStep step, ReferenceWorld before) => Guard(() =>
    {
        ReferenceWorld after = before.Clone();
        string[] right = ReferenceRules.Apply(step, after);
        string? answer = step.Failing is null ? null : Attempt(step, before, right);
        answer ??= DoOnce(step, before);
        if (answer == "EFAULT" && right[0] != "EFAULT" && step.Name == "device-write")
        {
            answer = WriteAfterFetching(step, before);
        }

        bool isRight = ReferenceRules.Allows(right, answer);
        Note(step, isRight ? answer : right[0]);
        Assert.That(isRight, Is.True, $"{step.Line}: {answer}, and not {string.Join(" or ", right)}");
    });

    /// <summary>Everything adds up, and nobody sees what the reference does not.</summary>
    /// <param name="model">The reference.</param>
    internal void Check(ReferenceWorld model) => Guard(() =>
    {
        Machine.Validate();
        new MirrorViews(this, Parent, model.Parent).Check("");
        if (Child is not null)
        {
            new MirrorViews(this, Child, model.Child!).Check("child ");
        }
    });

    /// <summary>Every process reads all its memory, by the CPU and by both devices, in earnest.</summary>
    /// <param name="model">The reference.</param>
    internal void ReadAll(ReferenceWorld model)
    {
        foreach (bool isChild in (bool[])[false, true])
        {
            for (int region = 0; region < ReferenceProcess.Regions && model.Of(isChild) is { } process; region++)
            {
                for (int page = 0; page < process.RegionAt(region).Pages; page++)
                {
                    foreach ((string name, int device) in ((string, int)[])[("device-read", 0), ("cpu-read", 0), ("device-read", 1)])
                    {
                        var step = new MirrorStep
                        {
                            Name = name,
                            IsChild = isChild,
                            Device = FirstDevice + device,
                            Region = region,
                            First = page,
                        };
                        Run(step, model);
                    }
                }
            }
        }
    }

    /// <summary>The number of the first device in recordings.</summary>
    internal int FirstDevice => kind == MirrorMemoryKind.Private ? 0 : 2;

    public void Dispose()
    {
        Machine.Faults.Clear();
        Child?.Dispose();
        Parent.Dispose();
        foreach (MirrorDevice device in Devices)
        {
            device.Dispose();
        }

        // A program that has failed may leave anything: its first failure is the one to tell.
        if (!isFailed)
        {
            Machine.Validate();
            Machine.Dispose();
            Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), $"native memory is left\n{Recording}");
        }
        else
        {
            Machine.Dispose();
        }
    }

    private string? Attempt(MirrorStep step, ReferenceWorld before, string[] right)
    {
        Machine.Faults.FailNth(step.Failing!.Value, step.FailingFrom, 1_000);
        string answer = DoOnce(step, before);
        Machine.Faults.Clear();
        if (ReferenceRules.Allows(right, answer))
        {
            return answer;
        }

        Assert.That(Refusals, Does.Contain(answer), $"{step}: this is how a lack is told");
        lines.Append("# refused when things failed: ").Append(step).Append(" = ").Append(answer).Append('\n');
        if (step.ChangesNothing)
        {
            Check(before);
        }

        return null;
    }

    private string DoOnce(MirrorStep step, ReferenceWorld before)
    {
        switch (step.Name)
        {
            case "fork":
                Errno errno = Parent.Space.TryFork(out AddressSpace? copy);
                Child = errno.IsOk ? new MirrorProcess(Machine, Devices, copy!) : null;
                return errno.IsOk ? "ok" : errno.ToString();
            case "exit":
                Child!.Dispose();
                Child = null;
                return "ok";
            case "evict":
                _ = Devices[step.Device & 1].Evict();
                return "ok";
            default:
                return (step.IsChild ? Child! : Parent).Run(step, before.Of(step.IsChild)!);
        }
    }

    // The test device cannot write a page of its own memory that processes share: it fetches it back first.
    private string WriteAfterFetching(MirrorStep step, ReferenceWorld before)
    {
        string seen = DoOnce(Like(step, "snapshot"), before);
        Assert.That(seen, Does.Contain("21"), $"{step.Line}: EFAULT, and no page is here and shared");
        Note(step, "EFAULT");
        MirrorStep fetch = Like(step, "migrate-to-system");
        Note(fetch, DoOnce(fetch, before));
        return DoOnce(step, before);
    }

    private static MirrorStep Like(MirrorStep step, string name) => new()
    {
        Name = name,
        IsChild = step.IsChild,
        Device = step.Device,
        Region = step.Region,
        First = step.First,
        Count = step.Count,
    };

    private void Note(MirrorStep step, string outcome) =>
        lines.Append(step.Name == "evict" ? "# " : "").Append(step.Line).Append(" = ").Append(outcome).Append('\n');

    private void Guard(Action action)
    {
        try
        {
            action();
        }
        catch (Exception thrown) when (!isFailed)
        {
            isFailed = true;
            throw new ReplayableException($"{thrown.Message}\nas a recording, for mm conform:\n{Recording}", thrown);
        }
    }

    private MirrorDevice MakeDevice(int number)
    {
        var size = ByteCount.FromMiB(2);
        MirrorDevice? device;
        if (kind == MirrorMemoryKind.Private)
        {
            MirrorDevice.TryCreatePrivate(Machine, $"gpu{number}", size, out device).ThrowIfError();
        }
        else
        {
            var window = new PhysRange(new PhysAddr((1UL << 32) + ((ulong)number << 30)), size);
            MirrorDevice.TryCreateCoherent(Machine, $"gpu{number}", window, out device).ThrowIfError();
        }

        device!.DropsPageBehind = true; // as the devices of the recordings do
        return device;
    }
}
