using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;

namespace Mm.Core.Tests.Spaces;

/// <summary>A write seal against somebody who pins pages to write: the races of udmabuf in 2024 (museum 22), in every order.</summary>
internal sealed class MemoryFileInterleavings
{
    [Test]
    public void SealAndPin_InEveryOrder_NeverBothSucceed()
    {
        Exploration done = Explore(static (run, points) =>
        {
            points.Reach("pin");
            return run.Pin(FileSeals.Shrink, FileSeals.Write | FileSeals.FutureWrite);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(1));
    }

    [Test]
    public void SealAndPin_WithTheTestBeforeThePin_IsCaught()
    {
        Exploration done = Explore(static (run, points) =>
        {
            points.Reach("test");
            if ((run.File.Seals & FileSeals.Write) != FileSeals.None)
            {
                return false;
            }

            points.Reach("pin");
            return run.Pin(FileSeals.None, FileSeals.None);
        });
        Assert.That(done.Failure, Is.Not.Null, "a seal between the test and the pin goes unseen");
    }

    private static Exploration Explore(Func<Run, IYieldPoints, bool> pin) => new Explorer().Explore(points =>
    {
        var run = new Run();
        return new Scenario()
            .Actor("sealer", () =>
            {
                points.Reach("seal");
                run.IsSealed = run.File.TryAddSeals(FileSeals.Write).IsOk;
            })
            .Actor("user", () => run.IsPinned = pin(run, points))
            .Always("a sealed file has no writer", () => !(run.IsSealed && run.IsPinned))
            .Finally("one of them succeeds", () => run.IsSealed || run.IsPinned)
            .Finally("nothing is left", run.End);
    });

    private sealed class Run
    {
        private readonly Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();

        private readonly PagePin[] pins = new PagePin[1];

        internal Run()
        {
            File = new MemoryFile(machine.Allocator, new PhysicalBytes(machine.AddressMap, machine.Memory), allowsSealing: true);
            File.TryResize(new ByteCount(4096)).ThrowIfError();
            File.TryAddSeals(FileSeals.Shrink).ThrowIfError();
        }

        internal MemoryFile File { get; }

        internal bool IsSealed { get; set; }

        internal bool IsPinned { get; set; }

        internal bool Pin(FileSeals required, FileSeals refused) => File.TryPinSealed(required, refused, default, pins).IsOk;

        internal bool End()
        {
            pins[0].Dispose();
            File.Dispose();
            machine.Validate();
            machine.Dispose();
            return true;
        }
    }
}
