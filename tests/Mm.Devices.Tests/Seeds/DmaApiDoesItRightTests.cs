using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S4: a list of addresses goes through the DMA API as a whole: RAM as page by page, peers' memory by the provider's arithmetic.</summary>
[Category("Seeds")]
internal sealed class DmaApiDoesItRightTests
{
    private const int Page = 4096;

    [FsCheck.NUnit.Property(MaxTest = 100)]
    public bool List_Mapped_IsWhatItsPagesAreOneByOne((bool IsPeer, byte Page, ushort Offset, ushort Length)[] pieces, bool isTranslated)
    {
        using var stage = new Stage(isTranslated);
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        foreach ((bool isPeer, byte page, ushort offset, ushort length) in pieces)
        {
            // In RAM whole pages, as an IOMMU maps; of a peer any bytes.
            PhysRange range = isPeer
                ? stage.Provider.Aperture.Slice(new ByteCount(((ulong)page * Page) + offset), new ByteCount((ulong)length + 1))
                : new PhysRange(stage.Ram[page % stage.Ram.Length].Page.Address, new ByteCount(Page));
            builder.TryAppend(range).ThrowIfError();
        }

        using PhysRangeList list = builder.Build();
        Errno errno = stage.Nic.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping);
        if (!errno.IsOk)
        {
            return errno == Errno.EINVAL && list.IsEmpty;
        }

        bool isSame = stage.Agrees(list, mapping!);
        DmaAddr first = mapping!.Segments[0].Address;
        mapping.Dispose();
        bool isGone = stage.Nic.LiveMappings == 0 && !stage.Nic.Port.TryRead(first, new byte[1], out _).IsOk;
        return isSame && isGone && (stage.Nic.Domain?.MappedBytes.IsZero ?? true);
    }

    [Test]
    public void Sync_OfAList_GivesTheBytesToTheCpuAndBack()
    {
        using var stage = new Stage(isTranslated: true);
        PhysRangeListBuilder builder = stage.Pci.CreateListBuilder();
        builder.TryAppend(new PhysRange(stage.Ram[0].Page.Address, new ByteCount(Page))).ThrowIfError();
        builder.TryAppend(stage.Provider.Aperture.Slice(ByteCount.Zero, new ByteCount(100))).ThrowIfError();
        using PhysRangeList list = builder.Build();
        stage.Nic.TryMap(list, DmaDirection.FromDevice, out DmaMapping? mapping).ThrowIfError();
        using (mapping)
        {
            stage.Nic.Port.TryWrite(mapping!.Segments[0].Address, [1, 2, 3], out _).ThrowIfError();
            mapping.SyncForCpu();
            using (SpanLease seen = stage.Machine.Lease(list[0]))
            {
                Assert.That((mapping.IsOwnedByCpu, seen.Bytes[..3].ToArray()), Is.EqualTo((true, new byte[] { 1, 2, 3 })));
            }

            mapping.SyncForDevice();
            Assert.That((mapping.IsOwnedByCpu, mapping.Segments[1].IsBusAddress), Is.EqualTo((false, true)));
        }
    }

    private sealed class Stage : IDisposable
    {
        internal Stage(bool isTranslated)
        {
            Machine = Machine.CreateBuilder()
                .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(4)))
                .Build();
            Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
            Pci = new PciSystem(Machine, topology!);
            Pci.Bars.TryGet(PciAddress.Parse("0000:03:00.0"), 1, out BarProvider? provider).ThrowIfError();
            Provider = provider!;
            Pci.TryAttach(
                PciAddress.Parse("0000:04:00.0"), DmaMask.Bits64, default, isTranslated ? Pci.CreateDomain("iommu") : null, out DmaDevice? nic)
                .ThrowIfError();
            Nic = nic!;
            Ram = new PageRef[16];
            Machine.Allocator.TryAllocateMany(AllocationRequest.Kernel, Ram).ThrowIfError();
        }

        internal Machine Machine { get; }

        internal PciSystem Pci { get; }

        internal BarProvider Provider { get; }

        internal DmaDevice Nic { get; }

        internal PageRef[] Ram { get; }

        public void Dispose()
        {
            Machine.Allocator.Release(Ram);
            Pci.Validate();
            Machine.Dispose();
        }

        // Byte for byte: what the device finds at the list's addresses is what it finds where each page is mapped alone.
        internal bool Agrees(PhysRangeList list, DmaMapping mapping)
        {
            ulong offset = 0;
            foreach (DmaSegment segment in mapping.Segments)
            {
                for (ulong at = 0; at < segment.Length.Value; at += 61)
                {
                    Assert.That(list.TryFindByte(new ByteCount(offset + at), out PhysAddr address, out _), Is.True);
                    var found = new DmaAddr(segment.Address.Value + at);
                    bool isRight = segment.IsBusAddress
                        ? found == Provider.ToBusAddress(address)
                        : IsSameByte(found, address);
                    if (!isRight || segment.IsBusAddress != Provider.Aperture.Contains(address))
                    {
                        return false;
                    }
                }

                offset += segment.Length.Value;
            }

            return offset == list.Length.Value;
        }

        // The reference: the page alone, mapped by itself.
        private bool IsSameByte(DmaAddr found, PhysAddr address)
        {
            PhysRangeListBuilder builder = Pci.CreateListBuilder();
            ulong inPage = address.Value % Page;
            builder.TryAppend(new PhysRange(new PhysAddr(address.Value - inPage), new ByteCount(Page))).ThrowIfError();
            using PhysRangeList alone = builder.Build();
            Nic.TryMap(alone, DmaDirection.Bidirectional, out DmaMapping? reference).ThrowIfError();
            using (reference)
            {
                byte[] one = new byte[1];
                byte next = unchecked((byte)(address.Value * 7));
                Nic.Port.TryWrite(new DmaAddr(reference!.Segments[0].Address.Value + inPage), [next], out _).ThrowIfError();
                Nic.Port.TryRead(found, one, out _).ThrowIfError();
                bool isPhysical = Nic.Domain is not null || found.Value == address.Value;
                return one[0] == next && isPhysical;
            }
        }
    }
}
