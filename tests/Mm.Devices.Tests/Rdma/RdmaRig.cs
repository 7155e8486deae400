using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Rdma;

/// <summary>A machine with a GPU and two NICs on one wire, each opened by a process of its own, connected.</summary>
internal sealed class RdmaRig : IDisposable
{
    internal static readonly PciPlace Gpu = PciAddress.Parse("0000:03:00.0");
    internal const string NearPlace = "0000:04:00.0";
    internal const string AcrossPlace = "0000:08:00.0";
    internal const string FarPlace = "0000:81:00.0";

    private readonly List<AddressSpace> spaces = [];
    private readonly List<RdmaEnd> ends = [];

    internal RdmaRig(RdmaOptions? options = null, bool isTranslated = false, ulong memlockPages = 4096)
    {
        Machine = Machine.CreateBuilder().WithSeed(3)
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64))).Build();
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        System = new BufferSystem(Machine);
        Pci.Bars.TryGet(Gpu, 1, out BarProvider? provider).ThrowIfError();
        Vram = provider!;
        options ??= new RdmaOptions();
        Near = Open(NearPlace, options with { Domain = isTranslated ? Pci.CreateDomain("near") : null }, memlockPages);
        Across = Open(AcrossPlace, options with { Domain = isTranslated ? Pci.CreateDomain("across") : null }, memlockPages);
        Near.Pair.TryConnect(Across.Pair).ThrowIfError();
    }

    internal Machine Machine { get; }

    internal PciSystem Pci { get; }

    internal BufferSystem System { get; }

    internal BarProvider Vram { get; }

    internal RdmaWire Wire { get; } = new();

    internal RdmaEnd Near { get; }

    internal RdmaEnd Across { get; }

    internal RdmaEnd Open(string place, RdmaOptions? options = null, ulong memlockPages = 4096, bool mayLockAll = false)
    {
        Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        spaces.Add(space!);
        var end = new RdmaEnd(Wire, Pci, place, space!, options, memlockPages, mayLockAll);
        ends.Add(end);
        return end;
    }

    internal PhysRange VramPart(int page, int pages) =>
        Vram.Aperture.Slice(new PageCount((ulong)page).ToBytes(), new PageCount((ulong)pages).ToBytes());

    internal BufferHandle Moving(out MovingBuffer exporter, int pages = 4, int at = 0)
    {
        MovingBuffer.TryExport(
            System.Buffers, Pci.Owners, Vram, [VramPart(at, pages)], out MovingBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }

    internal BufferHandle Revocable(out BarBuffer exporter, int pages = 4, int at = 0)
    {
        new BarExporter(System.Buffers, Pci) { PinsForRevocable = true }.TryExport(
            Gpu, 1, [new BarRange(new PageCount((ulong)at).ToBytes(), new PageCount((ulong)pages).ToBytes())],
            out BarBuffer? made, out BufferHandle? handle).ThrowIfError();
        exporter = made!;
        return handle!;
    }

    internal byte[] ReadVram(int page, int pages)
    {
        using Core.Native.SpanLease lease = Machine.Lease(VramPart(page, pages));
        return lease.Bytes.ToArray();
    }

    internal static MemoryRegion RegisterBuffer(RdmaEnd end, BufferHandle buffer, RegionContract contract, ulong address = 0x7000_0000)
    {
        end.Domain.TryRegisterBuffer(
            buffer, default, buffer.Buffer.Size, new VirtAddr(address), RdmaEnd.All, contract, out MemoryRegion? region).ThrowIfError();
        return region!;
    }

    public void Dispose()
    {
        foreach (RdmaEnd end in ends)
        {
            end.Nic.Dispose();
            Assert.That(end.Ledger(), Is.Empty, "the ledger of a NIC that is gone");
            Assert.That(end.Context.PinnedPages, Is.EqualTo(PageCount.Zero));
            Assert.That(end.Nic.View.LiveMappings, Is.Zero, "a mapping of a NIC is left");
        }

        Assert.That(System.Buffers.Count, Is.Zero, "a buffer is left");
        spaces.ForEach(static space => space.Dispose());
        Pci.Validate();
        System.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero));
    }
}
