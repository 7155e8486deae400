using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Rdma;

/// <summary>A NIC's fault, the process's changes and the deregistration of a region on demand, in every order.</summary>
internal sealed class ImplicitBackingInterleavings
{
    // R4: an invalidation between fault and commit is seen; what the NIC read last is what the process wrote last.
    [Test]
    public void FaultAndUnmap_InEveryOrder_LeaveNoStaleAddress()
    {
        Explore(interruptions: 3, isImplicit: false, (rig, scenario) =>
        {
            Errno errno = default;
            _ = scenario
                .Actor("nic", () => errno = rig.Backing.TryAccess(rig.Offset, new byte[1], isWrite: true))
                .Actor("drop", () => rig.Space.TryDropPages(rig.Range.Start, rig.Range.Length).ThrowIfError())
                .Finally("the NIC's access was served", () => errno.IsOk)
                .Finally("the NIC and the process see one page", () => rig.SeesTheSame());
        }).ThrowIfFailed();
    }

    [Test]
    public void TwoFaultsAndAnInvalidation_InEveryOrder_KeepOneChildForAPlace()
    {
        int lost = 0;
        Explore(interruptions: 2, isImplicit: true, (rig, scenario) =>
        {
            _ = scenario
                .Actor("nic0", () => rig.Backing.TryAccess(rig.Offset, new byte[1], isWrite: false).ThrowIfError())
                .Actor("nic1", () => rig.Backing.TryAccess(rig.Offset, new byte[1], isWrite: true).ThrowIfError())
                .Actor("drop", () => rig.Space.TryDropPages(rig.Range.Start, rig.Range.Length).ThrowIfError())
                .Finally("one child at most", () => rig.All.ChildCount <= 1)
                .Finally("it is not stale", () => rig.SeesTheSame())
                .Finally("count", () => (lost = Math.Max(lost, rig.All.LostRaces)) >= 0);
        }).ThrowIfFailed();
        Assert.That(lost, Is.GreaterThan(0), "some schedule has a loser, who frees its own");
    }

    [Test]
    public void CreateDestroyFaultInvalidate_InEveryOrder_DestroyEachChildOnce()
    {
        Exploration done = Explore(interruptions: 2, isImplicit: true, Quadruple).ThrowIfFailed();
        Assert.That(done.Schedules, Is.GreaterThan(20));
    }

    // Museum 17: the child that is empty is given up again and again.
    [Test]
    public void CreateDestroyFaultInvalidate_WhereChildrenAreGivenUpBlindly_IsCaught()
    {
        Exploration done = Explore(interruptions: 2, isImplicit: true, (rig, scenario) =>
        {
            rig.All.GivesUpBlindly = true;
            Quadruple(rig, scenario);
        });
        Assert.That(done.Failure, Is.Not.Null, "museum 17 is caught");
        Assert.That(done.Failure!.Message, Does.Contain("on-demand invariant 2"));
    }

    private static void Quadruple(Rig rig, Scenario scenario)
    {
        rig.Backing.TryAccess(rig.Offset, new byte[1], isWrite: true).ThrowIfError();
        _ = scenario
            .Actor("drop0", () => rig.Space.TryDropPages(rig.Range.Start, rig.Range.Length).ThrowIfError())
            .Actor("drop1", () => rig.Space.TryDropPages(rig.Range.Start, rig.Range.Length).ThrowIfError())
            .Actor("nic", () => _ = rig.Backing.TryAccess(rig.Offset, new byte[1], isWrite: false))
            .Actor("dereg", () => rig.Release())
            .Finally("nothing is mapped", () => rig.Nic.View.LiveMappings == 0);
    }

    private static Exploration Explore(int interruptions, bool isImplicit, Action<Rig, Scenario> cast)
    {
        Rig? last = null;
        Exploration done = new Explorer { MaxInterruptions = interruptions, MaxSteps = 5_000 }.Explore(points =>
        {
            last?.Dispose();
            last = new Rig(points, isImplicit);
            Rig rig = last;
            var scenario = new Scenario();
            cast(rig, scenario);
            return scenario.Finally("all counts add up", rig.IsValid);
        });
        last?.Dispose();
        return done;
    }

    private sealed class Rig : IDisposable
    {
        private readonly Machine machine;
        private readonly AddressSpaces spaces;
        private readonly ProtectionDomain domain;
        private bool isAtRest;
        private bool isReleased;

        internal Rig(IYieldPoints points, bool isImplicit)
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
                new RdmaWire(), new PciSystem(machine, topology!), PciAddress.Parse(RdmaRig.NearPlace), null, out RdmaNic? nic).ThrowIfError();
            Nic = nic!;
            Nic.TryOpen(Space, new PageCount(64), out RdmaContext? context).ThrowIfError();
            context!.TryCreateDomain(out ProtectionDomain? made).ThrowIfError();
            domain = made!;
            var request = new AreaRequest(new ByteCount(4096), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
            Space.TryMap(request, out VirtRange range).ThrowIfError();
            Range = range;
            Assert.That(Space.Write(range.Start, [5]), Is.EqualTo(FaultResult.Done));
            MemoryRegion? region;
            (isImplicit
                ? domain.TryRegisterAll(RdmaEnd.All, out region)
                : domain.TryRegister(range.Start, range.Length, RdmaEnd.All | RegionAccess.OnDemand, out region)).ThrowIfError();
            Region = region!;
            Offset = isImplicit ? new ByteCount(range.Start.Value) : default;
            Nic.Points = points;
        }

        internal AddressSpace Space { get; }

        internal RdmaNic Nic { get; }

        internal VirtRange Range { get; }

        internal MemoryRegion Region { get; }

        internal ByteCount Offset { get; }

        internal RegionBacking Backing => Region.Backing;

        internal ImplicitBacking All => (ImplicitBacking)Region.Backing;

        internal void Release()
        {
            isReleased = true;
            Backing.Release();
        }

        // The process writes, and the NIC reads it; the NIC writes, and the process reads it.
        internal bool SeesTheSame()
        {
            byte[] byNic = new byte[1];
            byte[] byProcess = new byte[1];
            Assert.That(Space.Write(Range.Start, [41]), Is.EqualTo(FaultResult.Done));
            Backing.TryAccess(Offset, byNic, isWrite: false).ThrowIfError();
            Backing.TryAccess(Offset, (byte[])[42], isWrite: true).ThrowIfError();
            Assert.That(Space.Read(Range.Start, byProcess), Is.EqualTo(FaultResult.Done));
            return (byNic[0], byProcess[0]) == (41, 42);
        }

        internal bool IsValid()
        {
            spaces.Validate();
            machine.Validate();
            isAtRest = true;
            return true;
        }

        public void Dispose()
        {
            if (!isAtRest)
            {
                return; // what a failed schedule leaves cannot be cleared away
            }

            Nic.Points = null;
            if (!isReleased)
            {
                Backing.Release();
            }

            Assert.That(Nic.View.LiveMappings, Is.Zero);
            spaces.Dispose();
            Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero), "a page is left");
            machine.Dispose();
        }
    }
}
