using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>Reads regions (BARs), the expansion ROM and a bridge's windows from an <c>lspci -v</c> to <c>-vvv</c> listing.</summary>
/// <remarks>
/// <c>lspci -v</c> prints no index: regions then get the lowest that is free behind the one before, 64-bit ones taking two.
/// A BAR that is switched off by address 0 prints nothing there, so such an index may be too low; a note says so.
/// </remarks>
internal static class LspciRegions
{
    private const int LastBar = 5;

    /// <summary>Reads one attribute line, if it is a region, ROM or window.</summary>
    /// <param name="block">The function.</param>
    /// <param name="line">The line, behind its indentation.</param>
    internal static void Read(LspciBlock block, LspciLine line)
    {
        if (line.Take("Region "))
        {
            ImportPosition position = line.Position;
            ReadOnlySpan<char> digits = line.TakeUntil(":");
            if (!StrictNumber.TryDecimal(digits, LastBar, out ulong index) || !line.Take(": "))
            {
                line.Log.Error(position, "not the index of a region", digits.ToString(), "0 to 5");
                return;
            }

            ReadRegion(block, line, (int)index);
        }
        else if (IsRegionWithoutIndex(line.Rest))
        {
            block.HasGuessedBars = true;
            if (block.NextBar > LastBar)
            {
                line.Refuse("the function has more regions than BARs", "at most 6");
                return;
            }

            ReadRegion(block, line, block.NextBar);
        }
        else if (line.Take("Expansion ROM at "))
        {
            ReadWindow(block, line, PciBar.RomIndex, PciBarFlags.Memory);
        }
        else if (line.Take("Memory behind bridge: ") || line.Take("Prefetchable memory behind bridge: ")
            || line.Take("I/O behind bridge: "))
        {
            block.IsBridge = true;
            CheckBridgeWindow(line);
        }
    }

    /// <summary>Reads <c>BAR 1: current size: 64GB, supported: …</c>, a line of the resizable-BAR capability.</summary>
    /// <param name="block">The function.</param>
    /// <param name="line">The line, behind its indentation.</param>
    /// <returns>Whether it was that line.</returns>
    internal static bool ReadResizable(LspciBlock block, LspciLine line)
    {
        if (!line.Rest.StartsWith("BAR ") || !line.Rest.Contains("current size: ", StringComparison.Ordinal))
        {
            return false;
        }

        _ = line.Take("BAR ");
        ReadOnlySpan<char> digits = line.TakeUntil(":");
        bool isBar = StrictNumber.TryDecimal(digits, LastBar, out ulong index);
        _ = line.SkipPast("current size: ");
        if (!isBar || !StrictNumber.TrySize(line.TakeUntil(", "), out ByteCount size))
        {
            line.Refuse("not a resizable BAR", "BAR 0 to 5, current size: 64GB");
            return true;
        }

        int known = block.Bars.FindIndex(bar => bar.Index == (int)index);
        if (known >= 0 && block.Bars[known].Size is null)
        {
            PciBar bar = block.Bars[known];
            block.Bars.RemoveAt(known);
            AddBar(block, line, bar.Index, bar.Address, size, bar.Flags);
        }

        return true;
    }

    private static bool IsRegionWithoutIndex(ReadOnlySpan<char> text) =>
        text.StartsWith("Memory at ") || text.StartsWith("I/O ports at ")
        || (text.StartsWith("[virtual] ") && IsRegionWithoutIndex(text["[virtual] ".Length..]));

    private static void ReadRegion(LspciBlock block, LspciLine line, int index)
    {
        while (line.Take("[virtual] ") || line.Take("[enhanced] "))
        {
            // How the kernel came by the region does not change what it is.
        }

        if (line.Take("Memory at "))
        {
            ReadWindow(block, line, index, PciBarFlags.Memory);
        }
        else if (line.Take("I/O ports at "))
        {
            ReadWindow(block, line, index, PciBarFlags.Io);
        }
        else
        {
            line.Refuse("not a region", "Memory at …, or I/O ports at …");
        }
    }

    // "c6000000 (64-bit, prefetchable) [disabled] [size=16M]", "<ignored> (32-bit, non-prefetchable)", "e000 [size=128]"
    private static void ReadWindow(LspciBlock block, LspciLine line, int index, PciBarFlags flags)
    {
        PhysAddr? address = null;
        if (line.Take("<"))
        {
            _ = line.SkipPast(">");
        }
        else if (line.TryTakeHex(ulong.MaxValue, " ", "an address", out ulong value))
        {
            address = value == 0 ? null : new PhysAddr(value);
        }
        else
        {
            return;
        }

        ReadOnlySpan<char> rest = line.Rest;
        bool is64 = rest.Contains("64-bit", StringComparison.Ordinal);
        flags |= is64 ? PciBarFlags.Is64Bit : PciBarFlags.None;
        bool isPrefetchable = rest.Contains(" prefetchable)", StringComparison.Ordinal);
        flags |= isPrefetchable ? PciBarFlags.Prefetchable : PciBarFlags.None;
        flags |= rest.Contains("[disabled]", StringComparison.Ordinal) ? PciBarFlags.Disabled : PciBarFlags.None;
        ByteCount? size = null;
        if (line.SkipPast("[size="))
        {
            ImportPosition position = line.Position;
            ReadOnlySpan<char> text = line.TakeUntil("]");
            if (!StrictNumber.TrySize(text, out ByteCount length) || length.IsZero)
            {
                line.Log.Error(position, "not a size", text.ToString(), "as 64K, 16M or 8G");
                return;
            }

            size = length;
        }

        block.NextBar = index == PciBar.RomIndex ? block.NextBar : index + (is64 ? 2 : 1);
        AddBar(block, line, index, address, size, flags);
    }

    private static void AddBar(
        LspciBlock block, LspciLine line, int index, PhysAddr? address, ByteCount? size, PciBarFlags flags)
    {
        if (address is { } start && size is { } length && !PhysRange.TryCreate(start, length, out _))
        {
            line.Refuse($"region {index} at {start} of {length} passes the top of the address space", "a window below 2^64");
            return;
        }

        // lspci 3.9 prints the upper half of a 64-bit BAR as a region of its own when it reads a dump.
        bool isUpperHalf = address is null && size is null
            && block.Bars.Exists(bar => bar.Index == index - 1 && bar.Flags.HasFlag(PciBarFlags.Is64Bit));
        if (isUpperHalf)
        {
            return;
        }

        if (block.Bars.Exists(bar => bar.Index == index))
        {
            line.Refuse($"region {index} is there twice", "each region once");
            return;
        }

        block.Bars.Add(new PciBar(index, address, size, flags));
    }

    // "af000000-b00fffff [size=17M] [32-bit]", "[disabled] [64-bit]", "None", or (switched off, as older versions
    // print it) "fff00000-000fffff"
    private static void CheckBridgeWindow(LspciLine line)
    {
        if (line.Rest.IsEmpty || line.Rest[0] is '[' or '<' or 'N')
        {
            return;
        }

        if (line.TryTakeHex(ulong.MaxValue, "- ", "the start of a window", out _)
            && (!line.Take("-") || !line.TryTakeHex(ulong.MaxValue, " ", "the end of a window", out _)))
        {
            line.Refuse("not a window of a bridge", "af000000-b00fffff, or [disabled]");
        }
    }
}
