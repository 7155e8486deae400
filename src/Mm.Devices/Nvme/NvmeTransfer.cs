using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.Devices.Nvme;

/// <summary>One command of a request, from its preparation to its end: the mapping of its memory and the pages of its lists.</summary>
/// <remarks>
/// Owns both.
/// <para><b>Linux:</b> struct nvme_iod (drivers/nvme/host/pci.c, v6.12).</para>
/// <para><b>Locking:</b> that of the drive.</para>
/// </remarks>
internal sealed class NvmeTransfer(PhysRangeList? list, ByteCount offset) : IDisposable
{
    private readonly List<NvmeQueueMemory> pages = [];

    internal ByteCount Offset => offset;

    internal PhysRangeList? List => list;

    internal DmaMapping? Mapping { get; set; }

    internal DmaAddr First { get; set; }

    internal ulong Second { get; set; }

    internal bool IsSgl { get; set; }

    internal NvmeRequest? Request { get; set; }

    internal void Keep(NvmeQueueMemory page) => pages.Add(page);

    public void Dispose()
    {
        Mapping?.Dispose();
        pages.ForEach(static page => page.Dispose());
        pages.Clear();
    }
}
