using Mm.Core;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>How Mm's machine file spells single values: one way to write each, and the same way to read it.</summary>
internal static class MachineWords
{
    private static readonly string[] SizeUnits = ["B", "KiB", "MiB", "GiB", "TiB"];

    internal static WordTable<PciPortType> Ports { get; } = new(
        (PciPortType.Unknown, "unknown"),
        (PciPortType.Endpoint, "endpoint"),
        (PciPortType.LegacyEndpoint, "legacy-endpoint"),
        (PciPortType.RootPort, "root-port"),
        (PciPortType.SwitchUpstream, "switch-upstream"),
        (PciPortType.SwitchDownstream, "switch-downstream"),
        (PciPortType.PcieToPciBridge, "pcie-to-pci-bridge"),
        (PciPortType.PciToPcieBridge, "pci-to-pcie-bridge"),
        (PciPortType.RootComplexEndpoint, "root-complex-endpoint"),
        (PciPortType.RootComplexEventCollector, "root-complex-event-collector"),
        (PciPortType.ConventionalPci, "conventional-pci"),
        (PciPortType.ConventionalBridge, "conventional-bridge"),
        (PciPortType.VirtualSwitch, "virtual-switch"));

    internal static WordTable<CpuVendor> Vendors { get; } = new(
        (CpuVendor.Unknown, "unknown"),
        (CpuVendor.Intel, "intel"),
        (CpuVendor.Amd, "amd"),
        (CpuVendor.Hygon, "hygon"),
        (CpuVendor.Zhaoxin, "zhaoxin"),
        (CpuVendor.Arm, "arm"),
        (CpuVendor.Ibm, "ibm"),
        (CpuVendor.Other, "other"));

    internal static WordTable<OsDeviceKind> Devices { get; } = new(
        (OsDeviceKind.Other, "other"),
        (OsDeviceKind.Block, "block"),
        (OsDeviceKind.Network, "network"),
        (OsDeviceKind.Rdma, "rdma"),
        (OsDeviceKind.Gpu, "gpu"),
        (OsDeviceKind.CoProcessor, "co-processor"),
        (OsDeviceKind.DmaEngine, "dma-engine"),
        (OsDeviceKind.Memory, "memory"));

    internal static WordTable<InterconnectKind> Interconnects { get; } = new(
        (InterconnectKind.Other, "other"),
        (InterconnectKind.NvLink, "nvlink"),
        (InterconnectKind.Xgmi, "xgmi"),
        (InterconnectKind.C2C, "c2c"));

    internal static WordTable<PciBarFlags> BarFlags { get; } = new(
        (PciBarFlags.Memory, "memory"),
        (PciBarFlags.Io, "io"),
        (PciBarFlags.Prefetchable, "prefetchable"),
        (PciBarFlags.Is64Bit, "64-bit"),
        (PciBarFlags.Disabled, "disabled"));

    internal static WordTable<TopologyOmissions> Omissions { get; } = new((TopologyOmissions.Ports, "ports"));

    /// <summary>Reads <c>16 MiB</c>, as <see cref="ByteCount.ToString"/> writes it.</summary>
    internal static bool TrySize(string text, out ByteCount size)
    {
        size = default;
        int space = text.IndexOf(' ', StringComparison.Ordinal);
        int unit = space < 0 ? -1 : Array.IndexOf(SizeUnits, text[(space + 1)..]);
        if (unit < 0 || !StrictNumber.TryDecimal(text.AsSpan(0, space), ulong.MaxValue >> (unit * 10), out ulong value))
        {
            return false;
        }

        size = new ByteCount(value << (unit * 10));
        return true;
    }

    /// <summary>Reads an address, <c>0x1000</c>.</summary>
    internal static bool TryAddress(string text, out ulong address) => StrictNumber.TryPrefixedHex(text, ulong.MaxValue, out address);

    /// <summary>Writes ACS: <c>absent</c> or the register, <c>0x001d</c>; null where unknown.</summary>
    internal static string? Acs(AcsControl acs) => !acs.IsKnown ? null : acs.IsPresent ? $"0x{(int)acs.Bits:x4}" : "absent";

    /// <summary>Reads ACS.</summary>
    internal static bool TryAcs(string text, out AcsControl acs)
    {
        acs = AcsControl.Absent;
        if (text == "absent")
        {
            return true;
        }

        bool isRegister = StrictNumber.TryPrefixedHex(text, 0xffff, out ulong bits);
        acs = isRegister ? AcsControl.Of((AcsBits)bits) : AcsControl.Unknown;
        return isRegister;
    }

    /// <summary>Writes speed and width: <c>16 GT/s x8</c>, unknown parts as <c>?</c>; null where both are.</summary>
    internal static string? Link(PciLinkState state)
    {
        int tenths = state.Speed.TenthsOfGigatransfers;
        string speed = tenths == 0 ? "?" : tenths % 10 == 0 ? $"{tenths / 10}" : $"{tenths / 10}.{tenths % 10}";
        return state == default ? null : $"{speed} GT/s x{(state.Width == 0 ? "?" : state.Width)}";
    }

    /// <summary>Reads speed and width.</summary>
    internal static bool TryLink(string text, out PciLinkState state)
    {
        const string between = " GT/s x";
        state = default;
        int split = text.IndexOf(between, StringComparison.Ordinal);
        if (split < 0)
        {
            return false;
        }

        ReadOnlySpan<char> speed = text.AsSpan(0, split);
        ReadOnlySpan<char> width = text.AsSpan(split + between.Length);
        ulong tenths = 0;
        ulong lanes = 0;
        if ((speed is not "?" && !StrictNumber.TryFraction(speed, 1, ushort.MaxValue, out tenths))
            || (width is not "?" && !StrictNumber.TryDecimal(width, byte.MaxValue, out lanes)))
        {
            return false;
        }

        state = new PciLinkState(new PciLinkSpeed((ushort)tenths), (byte)lanes);
        return true;
    }

    /// <summary>Reads buses below a bridge, <c>2c-3b</c>.</summary>
    internal static bool TryBuses(string text, out PciBusRange buses)
    {
        buses = default;
        int dash = text.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0
            || !StrictNumber.TryHex(text.AsSpan(0, dash), 0xff, out ulong first)
            || !StrictNumber.TryHex(text.AsSpan(dash + 1), 0xff, out ulong last))
        {
            return false;
        }

        buses = new PciBusRange((byte)first, (byte)last);
        return true;
    }
}
