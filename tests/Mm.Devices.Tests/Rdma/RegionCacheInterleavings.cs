using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Rdma;

/// <summary>A cache's look-ups and the process's changes, in every order.</summary>
internal sealed class RegionCacheInterleavings
{
    [TestCase(false)]
    [TestCase(true)]
    public void LookupAndDrop_InEveryOrder_NeverFindOldPagesAfterwards(bool isCachedBefore)
    {
        Rig? last = null;
        new Explorer { MaxInterruptions = 3, MaxSteps = 5_000 }.Explore(points =>
        {
            last?.Dispose();
            last = new Rig(points);
            Rig rig = last;
            if (isCachedBefore)
            {
                rig.Use();
            }

            return new Scenario()
                .Actor("user", rig.Use)
                .Actor("process", () => rig.Space.TryDropPages(rig.Range.Start, rig.Range.Length).ThrowIfError())
                .Finally("who looks now sees what the process sees", rig.SeesTheSame)
                .Finally("all is let go", rig.End);
        }).ThrowIfFailed();
        last?.Dispose();
    }

    [Test]
    public void LookupAndClose_InEveryOrder_LeaveNoRegion()
    {
        Rig? last = null;
        new Explorer { MaxInterruptions = 3, MaxSteps = 5_000 }.Explore(points =>
        {
            last?.Dispose();
            last = new Rig(points);
            Rig rig = last;
            return new Scenario()
                .Actor("user", rig.UseOrClosed)
                .Actor("owner", rig.Close)
                .Finally("all is let go", rig.End);
        }).ThrowIfFailed();
        last?.Dispose();
    }

    private sealed class Rig : IDisposable
    {
        private readonly Machine machine;
        private readonly AddressSpaces spaces;
        private readonly RdmaNic nic;
        private readonly RdmaContext context;
        private readonly RegionCache cache;
        private bool isAtRest;

        internal Rig(IYieldPoints points)
        {
            machine = Machine.CreateBuilder()
                .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(8))).Build();
            spaces = new AddressSpaces(new SpaceParts(
                machine.Frames, machine.Allocator, machine.Memory, new PhysicalBytes(machine.AddressMap, machine.Memory),
                machine.Pagemaps, machine.Faults, machine.Profile, points));
            spaces.TryCreate(out AddressSpace? space).ThrowIfError();
            Space = space!;
            Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
            RdmaNic.TryCreate(
                new RdmaWire(), new PciSystem(machine, topology!), PciAddress.Parse(RdmaRig.NearPlace), null, out RdmaNic? made).ThrowIfError();
            nic = made!;
            nic.TryOpen(Space, new PageCount(64), out RdmaContext? opened).ThrowIfError();
            context = opened!;
            context.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
            cache = new RegionCache(domain!, RdmaEnd.All);
            var request = new AreaRequest(new ByteCount(4096), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
            Space.TryMap(request, out VirtRange range).ThrowIfError();
            Range = range;
            Assert.That(Space.Write(range.Start, [5]), Is.EqualTo(FaultResult.Done));
        }

        internal AddressSpace Space { get; }

        internal VirtRange Range { get; }

        internal void Use()
        {
            cache.TryGet(Range.Start, Range.Length, out CachedRegion? lease).ThrowIfError();
            lease!.Dispose();
        }

        internal void UseOrClosed()
        {
            Errno errno = cache.TryGet(Range.Start, Range.Length, out CachedRegion? lease);
            Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.ENODEV));
            lease?.Dispose();
        }

        internal void Close() => cache.Dispose();

        internal bool SeesTheSame()
        {
            Assert.That(Space.Write(Range.Start, [41]), Is.EqualTo(FaultResult.Done));
            cache.TryGet(Range.Start, Range.Length, out CachedRegion? lease).ThrowIfError();
            byte[] seen = new byte[1];
            lease!.Region.Backing.TryAccess(default, seen, isWrite: false).ThrowIfError();
            lease.Dispose();
            return seen[0] == 41;
        }

        internal bool End()
        {
            cache.Dispose();
            isAtRest = true;
            return nic.RegionCount == 0 && context.PinnedPages.IsZero && nic.View.LiveMappings == 0;
        }

        public void Dispose()
        {
            if (!isAtRest)
            {
                return; // what a failed schedule leaves cannot be cleared away
            }

            spaces.Dispose();
            Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero), "a page is left");
            machine.Dispose();
        }
    }
}
