using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.Testing.Interleavings;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>A device asks for addresses while their owner moves: what is valid is where the memory is, in every order.</summary>
internal sealed class PeerAreaMappingInterleavings
{
    [Test]
    public void AskAndMove_InEveryOrder_NeverLeaveAStaleAddressValid() => Explore(static run => run.Move());

    [Test]
    public void AskAndUnmap_InEveryOrder_NeverLeaveAStaleAddressValid() => Explore(static run => run.Unmap());

    private static void Explore(Action<Run> change)
    {
        Exploration done = new Explorer().Explore(points =>
        {
            var run = new Run(points);
            return new Scenario()
                .Actor("importer", run.Ask)
                .Actor("owner", () => change(run))
                .Always("what is valid is where the memory is", run.Holds)
                .Finally("nothing is left", run.End);
        });
        Assert.That(done.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    private sealed class Run : IPeerAreaOperations
    {
        private readonly IYieldPoints points;
        private readonly WaitQueue queue;
        private readonly SpaceRig rig;
        private readonly AreaBacking backing;
        private PeerAreaMapping? mapping;
        private bool isLocked;
        private PhysRange current = new(new PhysAddr(8UL << 30), Pages(1));
        private int shared;

        internal Run(IYieldPoints points)
        {
            this.points = points;
            queue = new WaitQueue(points);
            rig = new SpaceRig(points);
            Assert.That(rig.Machine.TryAddDeviceWindow("memory", new PhysRange(current.Start, Pages(4)), out _), Is.EqualTo(Errno.Ok));
            backing = new AreaBacking(AreaKind.DeviceMemory, this);
            rig.Map(0, 1, backing.Describe(AreaAccess.ReadWrite));
        }

        internal void Ask()
        {
            var import = new PeerImport(DeviceId.None, new PhysRangeListBuilder(rig.Machine.RangeOwners));
            Errno errno = rig.Space.TryMapPeer(Range(0, 1), import, out mapping);
            Check.That(errno.IsOk || errno == Errno.EFAULT, $"it is shared, or unmapped: {errno}");
        }

        internal void Move()
        {
            Lock();
            backing.Unmap();
            points.Reach("owner-moves");
            current = new PhysRange(new PhysAddr(current.Start.Value + Page), Pages(1));
            Unlock();
        }

        internal void Unmap()
        {
            rig.Space.TryUnmap(At(0), Pages(1)).ThrowIfError();
            current = default;
        }

        internal bool Holds() => mapping is not { IsValid: true } || mapping.List[0] == current;

        public Errno TryMapPeer(PeerAreaRequest request, PhysRangeListBuilder ranges)
        {
            Lock();
            points.Reach("owner-answers");
            shared++;
            Errno errno = ranges.TryAppend(current);
            Unlock();
            return errno;
        }

        public void UnmapPeer(PeerAreaRequest request) => shared--;

        internal bool End()
        {
            bool holds = Holds();
            mapping?.Dispose();
            rig.Dispose();
            return holds && shared == 0;
        }

        private void Lock()
        {
            queue.WaitUntil("lock", () => !isLocked);
            isLocked = true;
        }

        private void Unlock()
        {
            isLocked = false;
            queue.WakeAll();
        }
    }
}
