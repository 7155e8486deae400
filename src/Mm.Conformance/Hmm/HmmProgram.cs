using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Conformance.Hmm;

/// <summary>One program: a machine with two devices, a process, and sometimes its child.</summary>
internal sealed class HmmProgram : IDisposable
{
    private const ulong RamGiB = 3; // of the machine that was recorded

    private readonly Machine machine;
    private readonly MirrorDevice[] devices;
    private readonly HmmProcess parent;
    private HmmProcess? child;

    private HmmProgram(bool isCoherent, bool wantsHugePages)
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromGiB(RamGiB)))
            .Build();
        FirstDevice = isCoherent ? 2 : 0;
        devices = [MakeDevice(isCoherent, 0), MakeDevice(isCoherent, 1)];
        machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        parent = new HmmProcess(this, space!, new HmmRegions(wantsHugePages), new HmmPins(machine));
    }

    /// <summary>The machine.</summary>
    internal Machine Machine => machine;

    /// <summary>The devices.</summary>
    internal IReadOnlyList<MirrorDevice> Devices => devices;

    /// <summary>The number of the first device.</summary>
    internal int FirstDevice { get; }

    /// <summary>Begins a program.</summary>
    /// <param name="words">What kind it is of.</param>
    /// <returns>The program.</returns>
    internal static HmmProgram Start(RecordingWords words)
    {
        string kind = words.Take("a kind of program");
        words.End();
        return kind is "private" or "coherent" or "huge" or "pins" or "pins-coherent"
            ? new HmmProgram(kind.EndsWith("coherent", StringComparison.Ordinal), kind == "huge")
            : throw words.Error("not a kind of program", kind, "private, coherent, huge, pins or pins-coherent");
    }

    /// <summary>Does one operation.</summary>
    /// <param name="words">The operation.</param>
    /// <returns>Its outcome.</returns>
    internal string Run(RecordingWords words)
    {
        string operation = words.Take("an operation");
        if (operation == "fork")
        {
            words.End();
            return Fork(words);
        }

        if (operation != "child")
        {
            return parent.Run(operation, words);
        }

        HmmProcess running = child ?? throw words.Error("there is no child", operation, "a fork before");
        operation = words.Take("an operation of the child");
        if (operation != "exit")
        {
            return running.Run(operation, words);
        }

        words.End();
        running.Dispose();
        child = null;
        return "ok";
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        machine.Validate();
        child?.Dispose();
        parent.Dispose();
        foreach (MirrorDevice device in devices)
        {
            device.Dispose();
        }

        machine.Validate();
        machine.Dispose();
    }

    private string Fork(RecordingWords words)
    {
        if (child is not null)
        {
            throw words.Error("a child runs already", "fork", "child exit before");
        }

        Errno errno = parent.Space.TryFork(out AddressSpace? copy);
        if (!errno.IsOk)
        {
            return errno.ToString();
        }

        child = new HmmProcess(this, copy!, parent.Regions.Clone(), new HmmPins(machine));
        return "ok";
    }

    private MirrorDevice MakeDevice(bool isCoherent, int number)
    {
        string name = $"hmm_dmirror{number}";
        var size = ByteCount.FromMiB(32);
        MirrorDevice? device;
        if (isCoherent)
        {
            var start = new PhysAddr((RamGiB + 1 + (ulong)number) << 30);
            MirrorDevice.TryCreateCoherent(machine, name, new PhysRange(start, size), out device).ThrowIfError();
        }
        else
        {
            MirrorDevice.TryCreatePrivate(machine, name, size, out device).ThrowIfError();
        }

        device!.DropsPageBehind = true;
        return device;
    }
}
