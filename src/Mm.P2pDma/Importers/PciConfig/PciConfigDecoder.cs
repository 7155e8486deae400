using System.Buffers.Binary;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Reads the header of a function's configuration space: identity, BARs, a bridge's buses and windows.</summary>
/// <remarks>
/// Reads any bytes: nothing in them can make it fail, loop or read outside; what cannot be becomes a
/// <see cref="PciConfigDefect"/>. Capabilities are <see cref="PciCapabilityDecoder"/>'s.
/// </remarks>
internal static class PciConfigDecoder
{
    /// <summary>Decodes a dump.</summary>
    /// <param name="bytes">The bytes from offset 0: 64, 128, 256 or 4096 of them as a rule.</param>
    /// <returns>What they say.</returns>
    internal static PciConfigSpace Decode(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length is < PciRegisters.HeaderSize or > PciRegisters.ExtendedSize)
        {
            var defect = new PciConfigDefect(
                0, "the configuration space has a wrong length", $"{bytes.Length} bytes", "64 to 4096 bytes");
            return new PciConfigSpace { Length = bytes.Length, Defects = [defect] };
        }

        if (!bytes[..PciRegisters.HeaderSize].ContainsAnyExcept((byte)0xff))
        {
            return new PciConfigSpace { Length = bytes.Length, IsGone = true };
        }

        var defects = new List<PciConfigDefect>();
        int headerType = bytes[PciRegisters.HeaderType] & ~PciRegisters.MultiFunction;
        if (headerType > 2)
        {
            defects.Add(new PciConfigDefect(PciRegisters.HeaderType, "unknown header type", $"0x{headerType:x2}", "0, 1 or 2"));
            return new PciConfigSpace { Length = bytes.Length, Defects = defects };
        }

        uint classCode = Word32(bytes, PciRegisters.ClassRevision) >> 8;
        var header = new PciConfigSpace
        {
            Length = bytes.Length,
            Id = Identity(bytes, PciRegisters.Vendor),
            SubsystemId = headerType == 0 ? Subsystem(bytes) : null,
            Class = classCode == 0xffffff ? null : new PciClass(classCode),
            HeaderType = headerType,
            IsMultiFunction = (bytes[PciRegisters.HeaderType] & PciRegisters.MultiFunction) != 0,
            Bridge = headerType == 1 ? ReadBridge(bytes) : null,
        };
        PciConfigSpace whole = PciCapabilityDecoder.Decode(bytes, header, defects);
        return whole with { Bars = ReadBars(bytes, whole, defects), Defects = defects };
    }

    /// <summary>A 32-bit register.</summary>
    internal static uint Word32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    /// <summary>A 16-bit register.</summary>
    internal static ushort Word16(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);

    private static PciId? Identity(ReadOnlySpan<byte> bytes, int offset)
    {
        var id = new PciId(Word16(bytes, offset), Word16(bytes, offset + 2));
        return id.Vendor == 0xffff ? null : id;
    }

    private static PciId? Subsystem(ReadOnlySpan<byte> bytes)
    {
        PciId? id = Identity(bytes, PciRegisters.SubsystemVendor);
        return id == default(PciId) ? null : id;
    }

    private static PciBridgeHeader ReadBridge(ReadOnlySpan<byte> bytes)
    {
        byte ioBase = bytes[PciRegisters.IoBase];
        byte ioLimit = bytes[PciRegisters.IoBase + 1];
        ulong io = (ulong)(ioBase & 0xf0) << 8;
        ulong ioEnd = ((ulong)(ioLimit & 0xf0) << 8) | 0xfff;
        if ((ioBase & 0xf) == 1)
        {
            io |= (ulong)Word16(bytes, PciRegisters.IoBaseUpper) << 16;
            ioEnd |= (ulong)Word16(bytes, PciRegisters.IoBaseUpper + 2) << 16;
        }

        ushort prefetchable = Word16(bytes, PciRegisters.PrefetchableBase);
        ulong start = WindowBase(prefetchable);
        ulong end = WindowLimit(Word16(bytes, PciRegisters.PrefetchableBase + 2));
        if ((prefetchable & 0xf) == 1)
        {
            start |= (ulong)Word32(bytes, PciRegisters.PrefetchableBaseUpper) << 32;
            end |= (ulong)Word32(bytes, PciRegisters.PrefetchableLimitUpper) << 32;
        }

        return new PciBridgeHeader(
            bytes[PciRegisters.PrimaryBus], bytes[PciRegisters.SecondaryBus], bytes[PciRegisters.SubordinateBus])
        {
            Io = Window(io, ioEnd),
            Memory = Window(
                WindowBase(Word16(bytes, PciRegisters.MemoryBase)), WindowLimit(Word16(bytes, PciRegisters.MemoryBase + 2))),
            Prefetchable = Window(start, end),
        };
    }

    private static ulong WindowBase(ushort register) => (ulong)(register & 0xfff0) << 16;

    private static ulong WindowLimit(ushort register) => WindowBase(register) | 0xfffff;

    // The register pair is inclusive; base above limit switches the window off. The top of the space is no real window.
    private static PhysRange? Window(ulong start, ulong last) =>
        last >= start && last != ulong.MaxValue
            ? PhysRange.FromBounds(new PhysAddr(start), new PhysAddr(last + 1))
            : null;

    private static List<PciBar> ReadBars(ReadOnlySpan<byte> bytes, PciConfigSpace space, List<PciConfigDefect> defects)
    {
        int count = space.HeaderType switch
        {
            0 => 6,
            1 => 2,
            _ => 0, // a CardBus bridge's one register is no peer memory
        };
        int command = Word16(bytes, PciRegisters.Command);
        var bars = new List<PciBar>(count);
        for (int index = 0; index < count; index++)
        {
            int offset = PciRegisters.Bar0 + (4 * index);
            uint low = Word32(bytes, offset);
            bool is64 = (low & 7) == 4;
            if (is64 && index + 1 == count)
            {
                defects.Add(new PciConfigDefect(
                    offset, "a 64-bit BAR has no register for its upper half", $"BAR {index} = 0x{low:x8}", "a 32-bit BAR"));
                break;
            }

            ulong value = low | (is64 ? (ulong)Word32(bytes, offset + 4) << 32 : 0);
            if (value != 0)
            {
                AddBar(bars, space, index, value, command, defects);
            }

            index += is64 ? 1 : 0;
        }

        if (space.HeaderType < 2)
        {
            AddRom(bars, Word32(bytes, space.HeaderType == 0 ? PciRegisters.Rom : PciRegisters.BridgeRom));
        }

        return bars;
    }

    private static void AddBar(
        List<PciBar> bars, PciConfigSpace space, int index, ulong value, int command, List<PciConfigDefect> defects)
    {
        bool isIo = (value & 1) != 0;
        ulong address = value & (isIo ? ~3UL : ~15UL);
        PciBarFlags flags = isIo
            ? PciBarFlags.Io
            : PciBarFlags.Memory
                | ((value & 7) == 4 ? PciBarFlags.Is64Bit : PciBarFlags.None)
                | ((value & 8) != 0 ? PciBarFlags.Prefetchable : PciBarFlags.None);
        bool isEnabled = (command & (isIo ? PciRegisters.CommandIo : PciRegisters.CommandMemory)) != 0;
        flags |= isEnabled ? PciBarFlags.None : PciBarFlags.Disabled;
        ByteCount? size = SizeOf(space, index);
        if (size is { } length && !PhysRange.TryCreate(new PhysAddr(address), length, out _))
        {
            defects.Add(new PciConfigDefect(
                PciRegisters.Bar0 + (4 * index),
                "a BAR passes the top of the address space",
                $"0x{address:x} and {length}",
                "address + size of at most 2^64"));
            return;
        }

        bars.Add(new PciBar(index, address == 0 ? null : new PhysAddr(address), size, flags));
    }

    private static ByteCount? SizeOf(PciConfigSpace space, int index)
    {
        foreach (PciResizableBar entry in space.ResizableBars)
        {
            if (entry.Bar == index)
            {
                return entry.Size;
            }
        }

        return null;
    }

    private static void AddRom(List<PciBar> bars, uint register)
    {
        uint address = register & 0xfffff800;
        if (address is not (0 or 0xfffff800))
        {
            PciBarFlags flags = PciBarFlags.Memory | ((register & 1) != 0 ? PciBarFlags.None : PciBarFlags.Disabled);
            bars.Add(new PciBar(PciBar.RomIndex, new PhysAddr(address), null, flags));
        }
    }
}
