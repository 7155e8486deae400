using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Reads sysfs's <c>resource</c> file: for each BAR a line of start, last address and flags.</summary>
/// <remarks>
/// Lines 1 to 6 are the BARs, 7 is the ROM; a bridge's windows and the BARs of virtual functions follow and are not read.
/// <para><b>Linux:</b> resource_show (drivers/pci/pci-sysfs.c), IORESOURCE_* (include/linux/ioport.h, v6.12).</para>
/// </remarks>
internal static class SysfsResources
{
    private const ulong FlagIo = 0x100;
    private const ulong FlagMemory = 0x200;
    private const ulong FlagPrefetch = 0x2000;
    private const ulong Flag64Bit = 0x100000;
    private const ulong FlagDisabled = 0x10000000;
    private const ulong FlagUnset = 0x20000000;

    /// <summary>Reads the BARs.</summary>
    /// <param name="contents">The file.</param>
    /// <param name="position">The file's place.</param>
    /// <param name="log">Where errors go.</param>
    /// <returns>The BARs that have a window, or would have one.</returns>
    internal static List<PciBar> Read(byte[] contents, ImportPosition position, ImportLog log)
    {
        var bars = new List<PciBar>();
        ReadOnlySpan<char> text = Encoding.UTF8.GetString(contents);
        int index = 0;
        foreach (ReadOnlySpan<char> line in text.EnumerateLines())
        {
            if (index > PciBar.RomIndex || line.IsEmpty)
            {
                break;
            }

            ReadLine(bars, line, index, position with { Line = index + 1, Column = 1 }, log);
            index++;
        }

        return bars;
    }

    private static void ReadLine(List<PciBar> bars, ReadOnlySpan<char> line, int index, ImportPosition position, ImportLog log)
    {
        Span<Range> parts = stackalloc Range[4];
        int count = line.Split(parts, ' ', StringSplitOptions.RemoveEmptyEntries);
        if (count != 3
            || !StrictNumber.TryPrefixedHex(line[parts[0]], ulong.MaxValue, out ulong start)
            || !StrictNumber.TryPrefixedHex(line[parts[1]], ulong.MaxValue, out ulong last)
            || !StrictNumber.TryPrefixedHex(line[parts[2]], ulong.MaxValue, out ulong flags))
        {
            log.Error(position, "not a resource", line.ToString(), "start, last address and flags, each with 0x");
            return;
        }

        bool isIo = (flags & FlagIo) != 0;
        if (!isIo && (flags & FlagMemory) == 0)
        {
            return;
        }

        // Kernels print an empty window as start 0, last -1 or as last = start - 1.
        bool isEmpty = last == unchecked(start - 1) || (start == 0 && last == 0); // wraps for start 0 on purpose
        if (last < start && !isEmpty)
        {
            log.Error(position, "the resource ends before it starts", line.ToString(), "last address at or above the start");
            return;
        }

        ulong length = isEmpty ? 0 : unchecked(last - start + 1); // wraps to 0 for the whole address space, which no BAR has
        bool isPlaced = (flags & FlagUnset) == 0 && start != 0;
        PciBarFlags kind = (isIo ? PciBarFlags.Io : PciBarFlags.Memory)
            | ((flags & FlagPrefetch) != 0 ? PciBarFlags.Prefetchable : PciBarFlags.None)
            | ((flags & Flag64Bit) != 0 ? PciBarFlags.Is64Bit : PciBarFlags.None)
            | ((flags & FlagDisabled) != 0 ? PciBarFlags.Disabled : PciBarFlags.None);
        bars.Add(new PciBar(
            index, isPlaced ? new PhysAddr(start) : null, length == 0 ? null : new ByteCount(length), kind));
    }
}
