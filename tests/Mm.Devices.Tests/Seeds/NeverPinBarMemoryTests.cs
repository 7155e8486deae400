using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S0, never pin BAR memory: a doorbell of a GPU is rung by a NIC, moves under it, and is never pinned.</summary>
[Category("Seeds")]
public sealed class NeverPinBarMemoryTests
{
    [Test]
    public void Doorbell_SharedWithANic_MovesUnderItAndIsNeverPinned([Values] bool hasPages)
    {
        using var rig = new SeedRig();
        PhysRange aperture = rig.Memory(SeedRig.GpuA).Aperture.Slice(ByteCount.Zero, ByteCount.FromMiB(2));
        if (hasPages)
        {
            rig.Pci.Pools.TryAddResource(SeedRig.GpuA, 1, ByteCount.FromMiB(2), ByteCount.Zero, out _).ThrowIfError();
        }

        var doorbell = new DoorbellOwner(rig.Machine, aperture);
        DmaDevice nic = rig.Attach(SeedRig.Near);
        VirtRange range = rig.Map(doorbell.Backing);
        Assert.That(rig.Process.Write(range.Start, [1]), Is.EqualTo(FaultResult.Done));
        Assert.That(doorbell.Rung(), Is.EqualTo(1), "the process rings it itself");
        int checks = CheckNeverPinned(rig, range, doorbell.Current, hasPages);

        int ends = 0;
        PeerAreaMapping first = Share(rig, nic, range, () => ends++);
        nic.TryMap(first.List, DmaDirection.Bidirectional, out DmaMapping? window).ThrowIfError();
        DmaAddr address = window!.Segments[0].Address;
        Assert.That(address, Is.EqualTo(rig.Memory(SeedRig.GpuA).ToBusAddress(doorbell.Current.Start)), "below one switch: a bus address");
        nic.Port.TryWrite(address, [2], out _).ThrowIfError();
        Assert.That(doorbell.Rung(), Is.EqualTo(2), "the NIC rings it");
        checks += CheckNeverPinned(rig, range, doorbell.Current, hasPages);

        PhysRange before = doorbell.Current;
        doorbell.Move(7);
        Assert.That((ends, first.IsValid), Is.EqualTo((1, false)), "the NIC's address died by notifier");
        Assert.That(nic.Port.TryWrite(address, [3], out DmaFault fault), Is.EqualTo(Errno.EFAULT));
        Assert.That((fault.Kind, doorbell.Rung()), Is.EqualTo((DmaFaultKind.Stale, (byte)2)), "and what it writes there goes nowhere");
        window.Dispose();
        first.Dispose();

        using PeerAreaMapping second = Share(rig, nic, range, () => ends++);
        Assert.That(second.List[0], Is.EqualTo(doorbell.Current).And.Not.EqualTo(before), "it maps again, at the new place");
        nic.TryMap(second.List, DmaDirection.Bidirectional, out window).ThrowIfError();
        using (window)
        {
            nic.Port.TryWrite(window!.Segments[0].Address, [4], out _).ThrowIfError();
        }

        byte[] seen = new byte[1];
        Assert.That((rig.Process.Read(range.Start, seen), seen[0], doorbell.Rung()), Is.EqualTo((FaultResult.Done, (byte)4, (byte)4)));
        checks += CheckNeverPinned(rig, range, before, hasPages) + CheckNeverPinned(rig, range, doorbell.Current, hasPages);
        Assert.That((checks, doorbell.Importers, ends), Is.EqualTo((4 * 95, 1, 1)));
    }

    [Test]
    public void Memory_OfTheProcess_IsNeverTakenInstead()
    {
        using var rig = new SeedRig();
        DmaDevice nic = rig.Attach(SeedRig.Near);
        rig.Process.TryMap(
            new AreaRequest(new ByteCount(4096), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite)), out VirtRange range).ThrowIfError();
        var import = new PeerImport(nic.Id, rig.Pci.CreateListBuilder());
        Assert.That(rig.Process.TryMapPeer(range, import, out PeerAreaMapping? mapping), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That((mapping, rig.Process.CountResident(RssKind.Anonymous).Value), Is.EqualTo(((PeerAreaMapping?)null, 0UL)));
    }

    [Test]
    public void Exit_OfTheProcess_EndsWhatTheNicHas()
    {
        using var rig = new SeedRig();
        var doorbell = new DoorbellOwner(rig.Machine, rig.Memory(SeedRig.GpuA).Aperture);
        DmaDevice nic = rig.Attach(SeedRig.Near);
        VirtRange range = rig.Map(doorbell.Backing);
        bool hasEnded = false;
        using PeerAreaMapping mapping = Share(rig, nic, range, () => hasEnded = true);
        rig.Process.Dispose();
        Assert.That((hasEnded, mapping.IsValid), Is.EqualTo((true, false)));
    }

    private static PeerAreaMapping Share(SeedRig rig, DmaDevice device, VirtRange range, Action ended)
    {
        var import = new PeerImport(device.Id, rig.Pci.CreateListBuilder()) { IsWrite = true, Ended = ended };
        rig.Process.TryMapPeer(range, import, out PeerAreaMapping? mapping).ThrowIfError();
        return mapping!;
    }

    // Every way of getting or pinning a page of it, one after another; how many were tried.
    private static int CheckNeverPinned(SeedRig rig, VirtRange range, PhysRange page, bool hasPages)
    {
        const PinFlags All = PinFlags.Write | PinFlags.LongTerm | PinFlags.Force | PinFlags.PeerMemory | PinFlags.NoFault | PinFlags.Fast | PinFlags.SplitLarge;
        const PinFlags Contradiction = PinFlags.LongTerm | PinFlags.PeerMemory;
        int tried = 0;
        var pins = new PagePin[1];
        for (PinFlags flags = PinFlags.Write; flags <= All; flags++)
        {
            if ((flags & Contradiction) != Contradiction)
            {
                Assert.That(rig.Process.TryPin(range.Start, flags, pins, out int count), Is.EqualTo(Errno.EFAULT), $"{flags}");
                Assert.That(count, Is.Zero);
                tried++;
            }
        }

        if (hasPages)
        {
            PageInfo info = rig.Machine.Frames.Describe(page.Start.Pfn);
            Assert.That((info.References, info.MaybePinned, info.MapCount), Is.EqualTo((1U, false, 0U)), "the page is idle, as if nobody had it");
        }
        else
        {
            Assert.That(rig.Machine.Frames.HasMetadata(page.Start.Pfn), Is.False, "there is nothing to pin");
        }

        return tried;
    }
}
