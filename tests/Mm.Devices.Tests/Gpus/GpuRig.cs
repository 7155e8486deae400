using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.Devices.Gpus;
using Mm.Devices.Gpus.Objects;
using Mm.DmaBuf;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;
using Mm.Hmm.Copying;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Gpus;

/// <summary>The machine of two switches with a model GPU: a NIC beside it, a drive across the host bridge, a NIC that is refused.</summary>
internal sealed class GpuRig : IDisposable
{
    internal const int Page = 4096;

    private readonly AddressSpaces? ownSpaces;

    /// <summary>Makes one.</summary>
    /// <param name="memoryKiB">How much memory the GPU has.</param>
    /// <param name="visibleKiB">How much of it its BAR shows.</param>
    /// <param name="points">The explorer's points.</param>
    /// <param name="racesSpaces">Whether address spaces stop at the points, too.</param>
    /// <param name="hasOwnThread">Whether the copy engine works by itself.</param>
    internal GpuRig(ulong memoryKiB = 4096, ulong visibleKiB = 1024, IYieldPoints? points = null, bool racesSpaces = false, bool hasOwnThread = false)
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(16)))
            .Build();
        System = new BufferSystem(Machine, points);
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        Options = new GpuOptions
        {
            Memory = ByteCount.FromKiB(memoryKiB),
            Visible = ByteCount.FromKiB(visibleKiB),
            Drive = hasOwnThread ? CopyEngineDrive.OwnThread : CopyEngineDrive.Stepped,
        };
        ownSpaces = racesSpaces ? MakeSpaces(points!) : null;
        Gpu.TryCreate(Pci, System, Place, Options, points, ownSpaces, out Gpu? gpu).ThrowIfError();
        Gpu = gpu!;
        Near = Attach("0000:04:00.0");
        Across = Attach("0000:08:00.0");
        Far = Attach("0000:81:00.0");
    }

    internal static PciPlace Place => PciAddress.Parse("0000:03:00.0");

    internal Machine Machine { get; }

    internal AddressSpaces Spaces => ownSpaces ?? Machine.Spaces;

    internal BufferSystem System { get; }

    internal PciSystem Pci { get; }

    internal GpuOptions Options { get; }

    internal Gpu Gpu { get; }

    /// <summary>Reaches the GPU's memory by bus address.</summary>
    internal DmaDevice Near { get; }

    /// <summary>Reaches it through the host bridge.</summary>
    internal DmaDevice Across { get; }

    /// <summary>Does not reach it.</summary>
    internal DmaDevice Far { get; }

    internal PageCount InUse => Machine.Allocator.Statistics.InUse;

    /// <summary>Whatever a test has disposed: what is left would hold the GPU's memory.</summary>
    public void Dispose()
    {
        Gpu.Validate();
        System.Validate();
        Pci.Validate();
        Gpu.Dispose();
        Gpu.Validate();
        Assert.That(Gpu.Memory.UsedPages, Is.EqualTo(PageCount.Zero), "a page of the GPU's memory is left");
        ownSpaces?.Dispose();
        Assert.That(InUse, Is.LessThanOrEqualTo(PageCount.One), "a page of RAM is left, beside the page of zeros");
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
    }

    internal static byte[] Bytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        for (int index = 0; index < length; index++)
        {
            bytes[index] = unchecked((byte)((index * 31) + seed + (index >> 8)));
        }

        return bytes;
    }

    internal GpuObject Create(int pages, GpuPlaces preferred = GpuPlaces.Vram, GpuPlaces allowed = GpuPlaces.Any)
    {
        var request = new GpuObjectRequest(new PageCount((ulong)pages).ToBytes()) { Preferred = preferred, Allowed = allowed };
        Gpu.TryCreateObject(request, out GpuObject? made).ThrowIfError();
        return made!;
    }

    internal static BufferHandle Export(GpuObject target)
    {
        target.TryExport(out BufferHandle? handle).ThrowIfError();
        return handle!;
    }

    internal static BufferAttachment Attach(BufferHandle handle, DmaDevice device, IBufferImporter? importer)
    {
        BufferAttachment.TryAttach(handle, device, importer, out BufferAttachment? attachment).ThrowIfError();
        return attachment!;
    }

    internal static void Write(GpuObject target, int offset, ReadOnlySpan<byte> bytes)
    {
        target.TryBeginWork(SyncAccess.Write, out GpuWork? work).ThrowIfError();
        using (work)
        {
            work!.TryWrite(new ByteCount((ulong)offset), bytes).ThrowIfError();
        }
    }

    internal static byte[] Read(GpuObject target)
    {
        target.TryBeginWork(SyncAccess.Read, out GpuWork? work).ThrowIfError();
        using (work)
        {
            byte[] bytes = new byte[target.Size.Value];
            work!.TryRead(ByteCount.Zero, bytes).ThrowIfError();
            return bytes;
        }
    }

    /// <summary>An importer's device reads all of a buffer where it is mapped now.</summary>
    internal static byte[] Read(BufferAttachment attachment)
    {
        using BufferMapping mapping = Map(attachment);
        byte[] bytes = new byte[attachment.Buffer.Size.Value];
        int done = 0;
        foreach (DmaSegment segment in mapping.Segments)
        {
            int length = (int)segment.Length.Value;
            attachment.Device.Port.TryRead(segment.Address, bytes.AsSpan(done, length), out _).ThrowIfError();
            done += length;
        }

        return bytes;
    }

    /// <summary>An importer's device writes into a buffer where it is mapped now.</summary>
    internal static void Write(BufferAttachment attachment, int offset, ReadOnlySpan<byte> bytes)
    {
        using BufferMapping mapping = Map(attachment);
        int start = 0;
        foreach (DmaSegment segment in mapping.Segments)
        {
            int length = (int)segment.Length.Value;
            int from = Math.Max(offset, start);
            int to = Math.Min(offset + bytes.Length, start + length);
            if (from < to)
            {
                var address = new DmaAddr(segment.Address.Value + (ulong)(from - start));
                attachment.Device.Port.TryWrite(address, bytes[(from - offset)..(to - offset)], out _).ThrowIfError();
            }

            start += length;
        }
    }

    internal static BufferMapping Map(BufferAttachment attachment)
    {
        attachment.TryMap(DmaDirection.Bidirectional, out BufferMapping? mapping).ThrowIfError();
        return mapping!;
    }

    internal List<LedgerEntry> Ledger()
    {
        var entries = new List<LedgerEntry>();
        Gpu.Report(entries);
        return entries;
    }

    private AddressSpaces MakeSpaces(IYieldPoints points) => new(new SpaceParts(
        Machine.Frames, Machine.Allocator, Machine.Memory, new PhysicalBytes(Machine.AddressMap, Machine.Memory),
        Machine.Pagemaps, Machine.Faults, Machine.Profile, points));

    private DmaDevice Attach(string place)
    {
        Pci.TryAttach(PciAddress.Parse(place), DmaMask.Bits64, default, domain: null, out DmaDevice? view).ThrowIfError();
        return view!;
    }
}
