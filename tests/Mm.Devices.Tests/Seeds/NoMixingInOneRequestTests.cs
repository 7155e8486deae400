using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S0, no mixing in one request: memory of several owners is refused as a whole, or each part gets a decision of its own.</summary>
[Category("Seeds")]
public sealed class NoMixingInOneRequestTests
{
    private const int Page = 4096;

    [Test]
    public void AreaRequest_OverRamAndTwoBars_IsRefusedAsAWhole()
    {
        using var rig = new SeedRig();
        DmaDevice nic = rig.Attach(SeedRig.Near);
        rig.Machine.Allocator.TryAllocate(AllocationRequest.Kernel, out PageRef ram).ThrowIfError();
        using (ram)
        {
            PhysRange[] others = [new PhysRange(ram.Page.Address, new ByteCount(Page)), PageOf(rig, SeedRig.GpuB)];
            for (int mixed = 1; mixed < 4; mixed++)
            {
                var owner = new DoorbellOwner(rig.Machine, rig.Memory(SeedRig.GpuA).Aperture)
                {
                    Others = mixed switch { 1 => [others[0]], 2 => [others[1]], _ => others },
                };
                VirtRange range = rig.Map(owner.Backing, pages: 1 + (ulong)owner.Others.Length);
                var import = new PeerImport(nic.Id, rig.Pci.CreateListBuilder());
                Assert.That(rig.Process.TryMapPeer(range, import, out PeerAreaMapping? mapping), Is.EqualTo(Errno.EINVAL));
                Assert.That((mapping, owner.Importers), Is.EqualTo(((PeerAreaMapping?)null, 0)), "nobody keeps a part of it");
            }
        }
    }

    [Test]
    public void AreaRequest_OverTwoAreas_IsRefusedAsAWhole_AndEachPartIsDecidedForItself()
    {
        using var rig = new SeedRig();
        DmaDevice nic = rig.Attach(SeedRig.Near);
        var first = new DoorbellOwner(rig.Machine, rig.Memory(SeedRig.GpuA).Aperture);
        var second = new DoorbellOwner(rig.Machine, rig.Memory(SeedRig.GpuB).Aperture);
        VirtRange high = rig.Map(first.Backing);
        VirtRange low = MapBelow(rig, second.Backing, high);
        var both = new VirtRange(low.Start, new ByteCount(2 * Page));
        Assert.That(rig.Process.TryMapPeer(both, new PeerImport(nic.Id, rig.Pci.CreateListBuilder()), out _), Is.EqualTo(Errno.EINVAL));
        Assert.That((first.Importers, second.Importers), Is.EqualTo((0, 0)));

        Assert.That(Ring(rig, nic, high, 1), Is.EqualTo(rig.Memory(SeedRig.GpuA).ToBusAddress(first.Current.Start)), "by bus address");
        Assert.That(Ring(rig, nic, low, 2).Value, Is.EqualTo(second.Current.Start.Value), "through the host bridge, as a physical address");
        Assert.That((first.Rung(), second.Rung()), Is.EqualTo(((byte)1, (byte)2)));
    }

    [Test]
    public void List_OfRamAndTwoBars_HasADecisionForEachPart_OrIsRefusedWhole()
    {
        using var rig = new SeedRig();
        rig.Machine.Allocator.TryAllocate(AllocationRequest.Kernel with { IsZeroed = true }, out PageRef ram).ThrowIfError();
        using (ram)
        {
            PhysRange[] parts = [new PhysRange(ram.Page.Address, new ByteCount(Page)), PageOf(rig, SeedRig.GpuA), PageOf(rig, SeedRig.GpuB)];
            DmaDevice nic = rig.Attach(SeedRig.Near);
            DmaDevice far = rig.Attach(SeedRig.Far);
            foreach (int[] order in Permutations)
            {
                PhysRangeListBuilder builder = rig.Pci.CreateListBuilder();
                builder.TryAppend([parts[order[0]], parts[order[1]], parts[order[2]]]).ThrowIfError();
                using PhysRangeList list = builder.Build();
                Assert.That(list.OwnerRuns.Length, Is.EqualTo(3));
                nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
                using (mapping)
                {
                    for (int at = 0; at < order.Length; at++)
                    {
                        ulong expected = order[at] == 1 ? rig.Memory(SeedRig.GpuA).ToBusAddress(parts[1].Start).Value : parts[order[at]].Start.Value;
                        Assert.That(mapping!.Segments[at].Address.Value, Is.EqualTo(expected), $"part {order[at]} at {at}");
                        nic.Port.TryWrite(mapping.Segments[at].Address, [(byte)(order[at] + 1)], out _).ThrowIfError();
                    }
                }

                Assert.That(parts.Select(part => First(rig.Machine, part)), Is.EqualTo(new byte[] { 1, 2, 3 }));
                Assert.That(far.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? none), Is.EqualTo(Errno.EREMOTEIO), "one part is out of reach");
                Assert.That((none, far.LiveMappings), Is.EqualTo(((DmaMapping?)null, 0)), "and nothing of it is mapped");
            }
        }
    }

    [Test] // K4
    public void BlockRequest_OfRamAndTwoPools_TakesOneKindOnly()
    {
        using var rig = new SeedRig();
        rig.Pci.Pools.TryAddResource(SeedRig.GpuA, 1, ByteCount.FromMiB(2), ByteCount.Zero, out _).ThrowIfError();
        rig.Pci.Pools.TryAddResource(SeedRig.GpuB, 1, ByteCount.FromMiB(2), ByteCount.Zero, out _).ThrowIfError();
        rig.Machine.Allocator.TryAllocate(AllocationRequest.Kernel, out PageRef ram).ThrowIfError();
        using (ram)
        {
            Pfn[] pages = [ram.Page, PageOf(rig, SeedRig.GpuA).Start.Pfn, PageOf(rig, SeedRig.GpuB).Start.Pfn];
            foreach (int[] order in Permutations)
            {
                var bio = new Bio(rig.Pci.Owners);
                Assert.That(Add(bio, pages[order[0]]), Is.EqualTo(BioRefusal.None));
                Assert.That(Add(bio, pages[order[1]]), Is.EqualTo(BioRefusal.MixedOwners));
                Assert.That(Add(bio, pages[order[2]]), Is.EqualTo(BioRefusal.MixedOwners));
                Assert.That((bio.Count, bio.Length.Value), Is.EqualTo((1, (ulong)Page)), "it stays as it was");
            }
        }
    }

    private static readonly int[][] Permutations = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    private static BioRefusal Add(Bio bio, Pfn page)
    {
        _ = bio.AddPage(page, ByteCount.Zero, new ByteCount(Page), out BioRefusal refusal);
        return refusal;
    }

    private static PhysRange PageOf(SeedRig rig, Mm.P2pDma.Topologies.PciPlace place) =>
        rig.Memory(place).Aperture.Slice(ByteCount.FromMiB(1), new ByteCount(Page));

    private static byte First(Machine machine, PhysRange range)
    {
        using Core.Native.SpanLease lease = machine.Lease(range);
        return lease.Bytes[0];
    }

    private static VirtRange MapBelow(SeedRig rig, AreaBacking backing, VirtRange range)
    {
        var request = new AreaRequest(new ByteCount(Page), backing.Describe(AreaAccess.ReadWrite))
        {
            At = new VirtAddr(range.Start.Value - Page),
            Placement = AreaPlacement.FixedNoReplace,
        };
        Errno errno = rig.Process.TryMap(request, out VirtRange placed);
        Assert.That(errno, Is.EqualTo(Errno.Ok));
        return placed;
    }

    // Shares the page, rings it and lets go; where the device wrote.
    private static DmaAddr Ring(SeedRig rig, DmaDevice device, VirtRange range, byte value)
    {
        rig.Process.TryMapPeer(range, new PeerImport(device.Id, rig.Pci.CreateListBuilder()) { IsWrite = true }, out PeerAreaMapping? shared).ThrowIfError();
        using (shared)
        {
            device.TryMap(shared!.List, DmaDirection.Bidirectional, out DmaMapping? mapping).ThrowIfError();
            using (mapping)
            {
                DmaAddr address = mapping!.Segments[0].Address;
                device.Port.TryWrite(address, [value], out _).ThrowIfError();
                return address;
            }
        }
    }
}
