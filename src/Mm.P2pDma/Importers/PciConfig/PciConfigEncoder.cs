using System.Buffers.Binary;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Writes what is known of a function as the bytes of a configuration space.</summary>
/// <remarks>
/// The inverse of <see cref="PciConfigDecoder"/> as far as bytes can say it. What is unknown is left out by length, as in
/// a real dump: without a known port type 64 bytes, without known ACS 256. Sizes of BARs have no register.
/// </remarks>
internal static class PciConfigEncoder
{
    private const int ExpressAt = 0x40;
    private const int ExpressVersion = 2;
    private const ulong FourGiB = 1UL << 32;

    /// <summary>Encodes a function.</summary>
    /// <param name="function">The function.</param>
    /// <param name="buses">The buses below a bridge; <see langword="null"/> for a function without any.</param>
    /// <param name="isMultiFunction">Whether its device has other functions.</param>
    /// <returns>64, 256 or 4096 bytes.</returns>
    internal static byte[] Encode(PciFunction function, PciBusRange? buses, bool isMultiFunction)
    {
        bool isBridge = buses is not null || (function.CanHaveChildren && function.Class?.IsPciBridge == true);
        bool isConventional = function.PortType is PciPortType.ConventionalPci or PciPortType.ConventionalBridge;
        int code = ExpressCode(function.PortType);
        bool isExpress = code >= 0;
        int length = !isConventional && !isExpress ? PciRegisters.HeaderSize
            : isExpress && function.Acs.IsKnown ? PciRegisters.ExtendedSize
            : PciRegisters.ConventionalSize;
        byte[] bytes = new byte[length];
        WriteHeader(bytes, function, isBridge, isMultiFunction);
        WriteBars(bytes, function, isBridge);
        if (isBridge)
        {
            WriteBridge(bytes, function, buses);
        }

        if (!isConventional)
        {
            Or16(bytes, PciRegisters.Status, PciRegisters.StatusCapabilities);
            bytes[PciRegisters.CapabilityPointer] = ExpressAt;
        }

        if (isExpress)
        {
            WriteExpress(bytes.AsSpan(ExpressAt), function, code);
        }

        if (length == PciRegisters.ExtendedSize && function.Acs.IsPresent)
        {
            WriteAcs(bytes.AsSpan(PciRegisters.ConventionalSize), function.Acs.Bits);
        }

        return bytes;
    }

    private static void WriteHeader(Span<byte> bytes, PciFunction function, bool isBridge, bool isMultiFunction)
    {
        Write16(bytes, PciRegisters.Vendor, function.Id?.Vendor ?? 0xffff);
        Write16(bytes, PciRegisters.Device, function.Id?.Device ?? 0xffff);
        bool isDecoding = !function.Bars.Any(bar => bar.IsMemory && bar.Index != PciBar.RomIndex)
            || function.Bars.Any(bar => bar.IsMemory && !bar.Flags.HasFlag(PciBarFlags.Disabled));
        bool hasPorts = function.Bars.Any(bar => (bar.Flags & (PciBarFlags.Io | PciBarFlags.Disabled)) == PciBarFlags.Io);
        Write16(
            bytes,
            PciRegisters.Command,
            PciRegisters.CommandMaster
                | (isDecoding ? PciRegisters.CommandMemory : 0)
                | (hasPorts ? PciRegisters.CommandIo : 0));

        // A bridge must look like one to be read as one, whatever its source did not say.
        uint code = function.Class?.Code ?? (isBridge ? PciClass.PciBridge.Code : 0xffffff);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[PciRegisters.ClassRevision..], code << 8);
        bytes[PciRegisters.HeaderType] = (byte)((isBridge ? 1 : 0) | (isMultiFunction ? PciRegisters.MultiFunction : 0));
        if (!isBridge && function.SubsystemId is { } subsystem)
        {
            Write16(bytes, PciRegisters.SubsystemVendor, subsystem.Vendor);
            Write16(bytes, PciRegisters.SubsystemDevice, subsystem.Device);
        }
    }

    private static void WriteBars(Span<byte> bytes, PciFunction function, bool isBridge)
    {
        int count = isBridge ? 2 : 6;
        foreach (PciBar bar in function.Bars)
        {
            ulong address = (bar.BusAddress?.Value ?? bar.Address?.Value) ?? 0;
            if (bar.Index == PciBar.RomIndex)
            {
                uint enable = !bar.Flags.HasFlag(PciBarFlags.Disabled) ? 1U : 0;
                int at = isBridge ? PciRegisters.BridgeRom : PciRegisters.Rom;
                uint register = address < FourGiB ? (uint)address & 0xfffff800 : 0;
                BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], register == 0 ? 0 : register | enable);
                continue;
            }

            bool is64 = bar.IsMemory && (bar.Flags.HasFlag(PciBarFlags.Is64Bit) || address >= FourGiB);
            if (bar.Index >= count || (is64 && bar.Index + 1 >= count))
            {
                continue;
            }

            uint low = bar.IsMemory
                ? ((uint)(address & 0xfffffff0) | (is64 ? 4U : 0) | (bar.Flags.HasFlag(PciBarFlags.Prefetchable) ? 8U : 0))
                : ((uint)(address & 0xfffffffc) | 1);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(PciRegisters.Bar0 + (4 * bar.Index))..], low);
            if (is64)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(
                    bytes[(PciRegisters.Bar0 + 4 + (4 * bar.Index))..], (uint)(address >> 32));
            }
        }
    }

    // The windows stay switched off (base above limit): a topology does not keep them.
    private static void WriteBridge(Span<byte> bytes, PciFunction function, PciBusRange? buses)
    {
        bytes[PciRegisters.PrimaryBus] = (byte)function.Address.Bus;
        bytes[PciRegisters.SecondaryBus] = buses?.Secondary ?? 0;
        bytes[PciRegisters.SubordinateBus] = buses?.Subordinate ?? 0;
        bytes[PciRegisters.IoBase] = 0xf0;
        Write16(bytes, PciRegisters.MemoryBase, 0xfff0);
        Write16(bytes, PciRegisters.PrefetchableBase, 0xfff1);
        Write16(bytes, PciRegisters.PrefetchableBase + 2, 0x0001);
    }

    private static void WriteExpress(Span<byte> bytes, PciFunction function, int code)
    {
        bytes[0] = PciRegisters.ExpressId;
        Write16(bytes, PciRegisters.ExpressFlags, ExpressVersion | (code << 4));
        BinaryPrimitives.WriteUInt32LittleEndian(
            bytes[PciRegisters.ExpressLinkCapabilities..], (uint)LinkRegister(function.Link.Capable));
        Write16(bytes, PciRegisters.ExpressLinkStatus, LinkRegister(function.Link.Current));
    }

    private static void WriteAcs(Span<byte> bytes, AcsBits bits)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, PciRegisters.AcsId | (1U << 16));

        // What is switched on is capable, and redirection is what every such port can do.
        AcsBits redirects = AcsBits.RequestRedirect | AcsBits.CompletionRedirect | AcsBits.SourceValidation | AcsBits.UpstreamForwarding;
        Write16(bytes, PciRegisters.AcsCapabilities, (int)(bits | redirects) & 0x7f);
        Write16(bytes, PciRegisters.AcsControl, (int)bits);
    }

    private static int LinkRegister(PciLinkState state)
    {
        int generation = state.Speed.TenthsOfGigatransfers switch
        {
            25 => 1,
            50 => 2,
            80 => 3,
            160 => 4,
            320 => 5,
            640 => 6,
            _ => 0,
        };
        return generation | (Math.Min(state.Width, (byte)0x3f) << 4);
    }

    private static int ExpressCode(PciPortType type) => type switch
    {
        PciPortType.Endpoint => 0x0,
        PciPortType.LegacyEndpoint => 0x1,
        PciPortType.RootPort => 0x4,
        PciPortType.SwitchUpstream or PciPortType.VirtualSwitch => 0x5,
        PciPortType.SwitchDownstream => 0x6,
        PciPortType.PcieToPciBridge => 0x7,
        PciPortType.PciToPcieBridge => 0x8,
        PciPortType.RootComplexEndpoint => 0x9,
        PciPortType.RootComplexEventCollector => 0xa,
        _ => -1,
    };

    private static void Or16(Span<byte> bytes, int offset, int bits) =>
        Write16(bytes, offset, PciConfigDecoder.Word16(bytes, offset) | bits);

    private static void Write16(Span<byte> bytes, int offset, int value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[offset..], (ushort)value);
}
