using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

/// <summary>Memory of a peer's driver: destroyed when it is taken away, its key quarantined until it is deregistered.</summary>
internal sealed class PeerBackingTests
{
    private static readonly VirtAddr Start = new(0x4000_0000);

    [Test]
    public void TakenAway_UnderWork_EndsItInAnErrorAndGivesTheMemoryBackAtOnce()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        var driver = new FakePeer(rig);
        MemoryRegion remote = Register(rig.Across, driver, 4);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(4, 9));
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local)) { RemoteAddress = Start, RemoteKey = remote.Key }).ThrowIfError();
        Assert.That(rig.Near.Nic.Process(1), Is.EqualTo(1));

        driver.TakeAway!();
        driver.TakeAway!();

        Assert.That((driver.PutBack, remote.State, rig.Across.Nic.View.LiveMappings), Is.EqualTo((1, RegionState.Revoked, 0)));
        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.RemoteAccessError));
        byte[] vram = rig.ReadVram(0, 4);
        Assert.That(vram.Count(static value => value == 9), Is.EqualTo(4096), "one packet, and no byte after it was taken away");
        MemoryRegion next = Register(rig.Across, driver, 1);
        Assert.That(next.Key.Value >> 8, Is.Not.EqualTo(remote.Key.Value >> 8), "the key is quarantined");
        remote.Dispose();
        Assert.That((remote.State, driver.PutBack), Is.EqualTo((RegionState.Deregistered, 1)));
        next.Dispose();
        Assert.That(driver.PutBack, Is.EqualTo(2));
    }

    [Test]
    public void TakenAway_BeforeTheRegionIsThere_IsEagain()
    {
        using var rig = new RdmaRig();
        var driver = new FakePeer(rig) { TakesAwayAtOnce = true };

        Assert.That(rig.Near.Domain.TryRegisterPeer(driver, Start, new ByteCount(4096), RdmaEnd.All, out _), Is.EqualTo(Errno.EAGAIN));
        Assert.That((driver.PutBack, rig.Near.Nic.View.LiveMappings, rig.Near.Nic.RegionCount), Is.EqualTo((1, 0, 0)));
    }

    [Test]
    public void Register_EachRefusal_PutsThePagesBack()
    {
        using var rig = new RdmaRig();
        var driver = new FakePeer(rig);
        Assert.That(rig.Near.Domain.TryRegisterPeer(driver, Start, default, RdmaEnd.All, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Near.Domain.TryRegisterPeer(driver, default, new ByteCount(1), RdmaEnd.All, out _), Is.EqualTo(Errno.EINVAL), "not its own");
        RdmaEnd far = rig.Open(RdmaRig.FarPlace);
        Assert.That(far.Domain.TryRegisterPeer(driver, Start, new ByteCount(4096), RdmaEnd.All, out _), Is.EqualTo(Errno.EREMOTEIO));
        Assert.That(driver.PutBack, Is.EqualTo(driver.Given));
        Errno errno = Errno.ENOMEM;
        for (ulong nth = 1; !errno.IsOk; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            errno = rig.Near.Domain.TryRegisterPeer(driver, Start, new ByteCount(4096), RdmaEnd.All, out MemoryRegion? region);
            rig.Machine.Faults.Clear();
            region?.Dispose();
            Assert.That(driver.PutBack, Is.EqualTo(driver.Given));
        }
    }

    private static MemoryRegion Register(RdmaEnd end, FakePeer driver, int pages)
    {
        end.Domain.TryRegisterPeer(driver, Start, new PageCount((ulong)pages).ToBytes(), RdmaEnd.All, out MemoryRegion? region).ThrowIfError();
        return region!;
    }

    private sealed class FakePeer(RdmaRig rig) : IPeerMemory
    {
        public string Name => "gpu";

        internal bool TakesAwayAtOnce { get; init; }

        internal Action? TakeAway { get; private set; }

        internal int Given { get; private set; }

        internal int PutBack { get; private set; }

        public Errno TryGetPages(VirtAddr start, ByteCount length, Action takeAway, out PhysRangeList? list)
        {
            list = null;
            if (start != Start)
            {
                return Errno.EINVAL;
            }

            PhysRangeListBuilder builder = rig.Pci.CreateListBuilder();
            builder.TryAppend(rig.Vram.Aperture.Slice(default, length)).ThrowIfError();
            list = builder.Build();
            TakeAway = takeAway;
            Given++;
            if (TakesAwayAtOnce)
            {
                takeAway();
            }

            return Errno.Ok;
        }

        public void PutPages(PhysRangeList list)
        {
            PutBack++;
            list.Dispose();
        }
    }
}
