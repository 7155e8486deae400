using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Lspci;

/// <summary>Writes a topology as <c>lspci -xxxx</c> would, so that <c>lspci -F FILE -tv</c> opens a machine of Mm.</summary>
/// <remarks>
/// Says what configuration space can: identities, classes, BAR addresses, buses, port types, links, ACS. It cannot say
/// sizes of BARs, NUMA nodes, CPUs, the operating system's names, nor what is not PCI.
/// <para><b>Linux:</b> the bytes of sysfs's <c>config</c> files (v6.12); the layout is that of pciutils 3.x.</para>
/// <para><b>Invariants:</b> (1) <see cref="LspciImporter"/> reads back what the bytes can say; (2) the output depends on
/// the topology alone.</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class LspciHexWriter
{
    private const int RowLength = 16;

    /// <summary>Writes one host's functions, in the order of their addresses.</summary>
    /// <param name="snapshot">The machine.</param>
    /// <param name="output">Where to write; lines end in LF.</param>
    /// <param name="host">Which host; addresses repeat from host to host, so a file holds one.</param>
    /// <returns>
    /// The functions whose place bus numbers cannot express: no bridge can lead to their bus, as with the made-up
    /// switches of NCCL's files. They are written, and a reader finds them on a root bus. Empty for a real machine.
    /// </returns>
    public static IReadOnlyList<PciPlace> Write(TopologySnapshot snapshot, TextWriter output, HostId host = default)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        ArgumentNullException.ThrowIfNull(output);
        PciFunction[] functions = [.. snapshot.Functions
            .Where(function => function.Host == host)
            .OrderBy(function => function.Address)];
        var buses = PciBusNumbers.Of(snapshot, functions);
        var sharing = functions
            .GroupBy(function => (function.Address.BusId, function.Address.Device))
            .Where(group => group.Skip(1).Any())
            .Select(group => group.Key)
            .ToHashSet();
        foreach (PciFunction function in functions)
        {
            bool isMultiFunction = sharing.Contains((function.Address.BusId, function.Address.Device));
            byte[] bytes = PciConfigEncoder.Encode(function, buses.Below(function), isMultiFunction);
            WriteFunction(output, function, bytes);
        }

        return buses.Unplaced;
    }

    private static void WriteFunction(TextWriter output, PciFunction function, byte[] bytes)
    {
        // The line must end the address with a blank to be one; what it does not name, the bytes leave open too.
        string name = function is { Class: { } code, Id: { } id } ? $"{code.Code >> 8:x4}: {id}" : "";
        output.Write($"{function.Address} {name}\n");
        for (int offset = 0; offset < bytes.Length; offset += RowLength)
        {
            output.Write($"{offset:x2}:");
            foreach (byte value in bytes.AsSpan(offset, RowLength))
            {
                output.Write($" {value:x2}");
            }

            output.Write('\n');
        }

        output.Write('\n');
    }
}
