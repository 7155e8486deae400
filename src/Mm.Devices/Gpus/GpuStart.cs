using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf;
using Mm.P2pDma;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Gpus;

/// <summary>The steps that bind a driver to a GPU, each undone where a later one is refused.</summary>
/// <remarks>
/// <para><b>Linux:</b> amdgpu_pci_probe (v6.12).</para>
/// <para><b>Locking:</b> none.</para>
/// </remarks>
internal sealed class GpuStart(
    PciSystem pci, BufferSystem buffers, PciPlace place, GpuOptions options, IYieldPoints? points, AddressSpaces spaces)
{
    private Machine Machine => pci.Machine;

    /// <summary>Starts it.</summary>
    internal Errno TryRun(out Gpu? gpu)
    {
        gpu = null;
        if (options.Memory.IsZero || options.Memory.Value % PageSize.Large.Bytes.Value != 0)
        {
            return Errno.EINVAL;
        }

        Errno errno = TryFindWindows(out BarProvider? provider, out PhysRange window, out PhysRange doorbells);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = pci.TryAttach(place, DmaMask.Bits64, default, options.Domain, out DmaDevice? dma);
        if (!errno.IsOk)
        {
            return errno;
        }

        errno = Machine.TryAddDevicePrivate($"{options.Name} memory", options.Memory, out AddressRegion? region);
        if (!errno.IsOk)
        {
            _ = Machine.Dma.TryDetach(dma!.Id); // attached above
            return errno;
        }

        GpuParts parts = MakeParts(provider!, window, region!);
        errno = TryDescribe(parts, region!, out SvmPagemap? pagemap);
        if (!errno.IsOk)
        {
            parts.Copier.Dispose();
            parts.Bytes.Dispose();
            _ = Machine.TryRemoveRegion(region!); // added above
            _ = Machine.Dma.TryDetach(dma!.Id); // attached above
            return errno;
        }

        var bells = new GpuDoorbells(options.Name, parts.Id, pci, buffers.Buffers, place, options.DoorbellBar, doorbells);
        gpu = new Gpu(parts, options, place, region!, dma!, bells, pagemap!);
        return Errno.Ok;
    }

    private Errno TryFindWindows(out BarProvider? provider, out PhysRange window, out PhysRange doorbells)
    {
        window = default;
        doorbells = default;
        Errno errno = pci.Bars.TryGet(place, options.MemoryBar, out provider);
        if (!errno.IsOk)
        {
            return errno;
        }

        PciDevice device = provider!.Device;
        if (options.MemoryBar == options.DoorbellBar || !device.TryGetWindow(options.DoorbellBar, out BarWindow bells))
        {
            return Errno.EINVAL;
        }

        ulong shown = Math.Min(provider.Aperture.Length.Value, options.Memory.Value);
        shown = options.Visible.IsZero ? shown : Math.Min(shown, options.Visible.Value);
        window = provider.Aperture.Slice(ByteCount.Zero, new ByteCount(shown).ToPagesRoundDown().ToBytes());
        doorbells = bells.Region?.Range ?? default;
        return bells.Region is null ? Errno.ENXIO : Errno.Ok;
    }

    private GpuParts MakeParts(BarProvider provider, PhysRange window, AddressRegion region)
    {
        Check.That(region.Range.TryGetFrames(out PfnRange frames), "private memory is whole frames");
        var bytes = new VramBytes(Machine, frames, window);
        var pool = new VramPool(Machine.Faults, window.Length.ToPagesRoundDown(), frames.Count);
        var copier = new GpuCopier($"{options.Name}-copy", bytes, Machine.Faults, options.Drive);
        return new GpuParts(options.Name, provider.Owner, pci, buffers.Buffers, provider, pool, bytes, copier, spaces, points);
    }

    private Errno TryDescribe(GpuParts parts, AddressRegion region, out SvmPagemap? pagemap)
    {
        var made = new SvmPagemap(parts);
        var request = new PagemapRequest { Kind = PagemapKind.DevicePrivate, Ranges = [region.Range], Owner = made, Ops = made };
        Errno errno = Machine.Pagemaps.TryAdd(request, out Pagemap? map);
        pagemap = errno.IsOk ? made : null;
        made.Map = map!;
        return errno;
    }
}
