using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Devices.Nvme;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Nvme;

/// <summary>The machine of drives behind a switch: one with its driver, two whose memory stands for a GPU's, and a file of known bytes.</summary>
internal sealed class NvmeRig : IDisposable
{
    internal static readonly PciPlace DrivePlace = PciAddress.Parse("0000:18:00.0");
    internal static readonly PciPlace FirstPeer = PciAddress.Parse("0000:19:00.0");
    internal static readonly PciPlace SecondPeer = PciAddress.Parse("0000:1a:00.0");
    private static readonly PhysAddr RamStart = new(0x1_0000_0000);

    private readonly string path = Path.Combine(Path.GetTempPath(), $"mm-nvme-{Guid.NewGuid():n}");
    private readonly List<PageBlock> blocks = [];

    internal NvmeRig(NvmeOptions? options = null, bool isTranslated = false, int fileKiB = 1024)
    {
        Machine = Machine.CreateBuilder().WithSeed(7)
            .AddRam(new NodeId(0), new PhysRange(RamStart, ByteCount.FromMiB(64))).Build();
        Assert.That(BuiltInMachines.TryGet("nvme-cmb", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        Domain = isTranslated ? Pci.CreateDomain("drive") : null;
        Content = new byte[fileKiB * 1024];
        Machine.CreateRandom("disk").Fill(Content);
        File.WriteAllBytes(path, Content);
        NvmeController.TryCreate(
            Pci, DrivePlace, (options ?? new NvmeOptions()) with { Domain = Domain, BufferBar = 4 }, out NvmeController? drive).ThrowIfError();
        Drive = drive!;
        Drive.TryAddNamespace(path, new ByteCount(512), out NvmeNamespace? space).ThrowIfError();
        Blocks = space!;
        Drive.TryCreateQueuePair(16, out NvmeQueuePair? queue).ThrowIfError();
        Queue = queue!;
        Pci.Bars.TryGet(FirstPeer, 4, out BarProvider? first).ThrowIfError();
        Pci.Bars.TryGet(SecondPeer, 4, out BarProvider? second).ThrowIfError();
        (A, B) = (first!, second!);
    }

    internal Machine Machine { get; }

    internal PciSystem Pci { get; }

    internal IommuDomain? Domain { get; }

    internal NvmeController Drive { get; }

    internal NvmeNamespace Blocks { get; }

    internal NvmeQueuePair Queue { get; }

    internal BarProvider A { get; }

    internal BarProvider B { get; }

    internal string DiskPath => path;

    internal byte[] Content { get; }

    internal static ByteCount Bytes(ulong count) => new(count);

    /// <summary>A block of RAM pages, given back at the end.</summary>
    internal PhysRange Ram(int order = 4)
    {
        Machine.Allocator.TryAllocateBlock(AllocationRequest.Kernel with { Order = order }, out PageBlock block).ThrowIfError();
        blocks.Add(block);
        return new PhysRange(block.Frames.Start.Address, block.Frames.Count.ToBytes());
    }

    internal static PhysRange Bar(BarProvider provider, ulong offset, ulong length) =>
        provider.Aperture.Slice(Bytes(offset), Bytes(length));

    internal PhysRangeList List(params PhysRange[] ranges)
    {
        PhysRangeListBuilder builder = Pci.CreateListBuilder();
        foreach (PhysRange range in ranges)
        {
            builder.TryAppendUnmerged(range).ThrowIfError();
        }

        return builder.Build();
    }

    internal byte[] Read(PhysRangeList list)
    {
        var all = new List<byte>();
        foreach (PhysRange range in list)
        {
            using SpanLease lease = Machine.Lease(range);
            all.AddRange(lease.Bytes);
        }

        return [.. all];
    }

    internal void Fill(PhysRangeList list, byte[] bytes)
    {
        int done = 0;
        foreach (PhysRange range in list)
        {
            using SpanLease lease = Machine.Lease(range);
            bytes.AsSpan(done, lease.Bytes.Length).CopyTo(lease.Bytes);
            done += lease.Bytes.Length;
        }
    }

    internal List<LedgerEntry> Ledger()
    {
        var entries = new List<LedgerEntry>();
        Drive.Report(entries);
        return entries;
    }

    public void Dispose()
    {
        Drive.Dispose();
        Assert.That(Drive.View.LiveMappings, Is.Zero, "a mapping of the drive is left");
        Assert.That(Ledger(), Is.Empty, "the ledger of a drive that is gone");
        blocks.ForEach(static block => block.Dispose());
        Assert.That(Machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero), "a page of RAM is left");
        Pci.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
        File.Delete(path);
    }
}
