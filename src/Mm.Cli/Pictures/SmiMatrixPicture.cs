using System.Text.Json;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>The matrix and legend of <c>nvidia-smi topo -m</c>, for any machine.</summary>
/// <remarks>
/// It tells how near devices are, not what a kernel allows: that is <see cref="P2pMatrixPicture"/>. Columns are parted
/// by tabs, as nvidia-smi's are, so scripts that read the one read the other. CPU affinity is printed as N/A: a machine
/// description knows nodes, not CPU lists.
/// </remarks>
internal sealed class SmiMatrixPicture
{
    private const string Legend = """

        Legend:

          X    = Self
          SYS  = Connection traversing PCIe as well as the SMP interconnect between NUMA nodes (e.g., QPI/UPI)
          NODE = Connection traversing PCIe as well as the interconnect between PCIe Host Bridges within a NUMA node
          PHB  = Connection traversing PCIe as well as a PCIe Host Bridge (typically the CPU)
          PXB  = Connection traversing multiple PCIe bridges (without traversing the PCIe Host Bridge)
          PIX  = Connection traversing at most a single PCIe bridge
          NV#  = Connection traversing a bonded set of # NVLinks
        """;

    private readonly P2pRouter router;
    private readonly TopologySnapshot machine;
    private readonly List<PciFunction> functions;
    private readonly int gpuCount;

    private SmiMatrixPicture(P2pRouter router)
    {
        this.router = router;
        machine = router.Topology.Snapshot;
        List<PciFunction> gpus = [.. machine.Functions.Where(DeviceRoles.IsGpu).OrderBy(function => function.Place)];
        List<PciFunction> nics = [.. machine.Functions
            .Where(function => DeviceRoles.IsNic(function) && !DeviceRoles.IsGpu(function))
            .OrderBy(function => function.Place)];
        gpuCount = gpus.Count;
        functions = [.. gpus, .. nics];
    }

    /// <summary>Draws the matrix and its legend.</summary>
    public static void Draw(P2pRouter router, TextWriter output)
    {
        var picture = new SmiMatrixPicture(router);
        if (picture.functions.Count == 0)
        {
            output.WriteLine("no GPUs and no NICs");
            return;
        }

        picture.DrawRows(output);
        output.WriteLine(Legend);
        picture.DrawNames(output);
    }

    /// <summary>Writes the matrix as JSON: the devices and a row of relations for each.</summary>
    public static void WriteJson(P2pRouter router, TextWriter output)
    {
        var picture = new SmiMatrixPicture(router);
        var rows = picture.functions.Select((function, row) => new
        {
            name = picture.NameOf(row),
            address = function.Place.ToString(),
            node = function.Node.IsKnown ? function.Node.Index : (int?)null,
            relations = picture.functions.Select(other => picture.Cell(function, other)).ToArray(),
        });
        output.WriteLine(JsonSerializer.Serialize(new { devices = rows }, JsonOutput.Options));
    }

    private void DrawRows(TextWriter output)
    {
        output.WriteLine($"\t{string.Join('\t', functions.Select((_, column) => NameOf(column)))}\tCPU Affinity\tNUMA Affinity");
        for (int row = 0; row < functions.Count; row++)
        {
            PciFunction function = functions[row];
            string cells = string.Join('\t', functions.Select(other => Cell(function, other)));
            string tail = row < gpuCount ? $"\tN/A\t{(function.Node.IsKnown ? function.Node.Index : "N/A")}" : "\t\t";
            output.WriteLine($"{NameOf(row)}\t{cells}{tail}");
        }
    }

    private void DrawNames(TextWriter output)
    {
        output.WriteLine();
        output.WriteLine("NIC Legend:");
        output.WriteLine();
        for (int i = gpuCount; i < functions.Count; i++)
        {
            output.WriteLine($"  {NameOf(i)}: {DeviceRoles.NicName(functions[i]) ?? functions[i].Place.ToString()}");
        }
    }

    private string NameOf(int index) => index < gpuCount ? $"GPU{index}" : $"NIC{index - gpuCount}";

    private string Cell(PciFunction row, PciFunction column)
    {
        if (ReferenceEquals(row, column))
        {
            return " X ";
        }

        int links = NvLinks(row, column);
        return links > 0
            ? $"NV{links}"
            : router.Explain(row.Place, column.Place).Relation.ToString().ToUpperInvariant();
    }

    /// <summary>NVLinks between two GPUs: those straight to each other, else those that both have to switches.</summary>
    private int NvLinks(PciFunction row, PciFunction column)
    {
        int direct = LinksOf(row, link => link.To == column.Place);
        return direct > 0
            ? direct
            : Math.Min(LinksOf(row, LeadsToSwitch), LinksOf(column, LeadsToSwitch));
    }

    private int LinksOf(PciFunction function, Func<InterconnectLink, bool> isMeant) =>
        machine.Interconnects
            .Where(link => link.Kind == InterconnectKind.NvLink && link.From == function.Place && isMeant(link))
            .Sum(link => link.Count ?? 1);

    // What a GPU's NVLink leads to and is no GPU is a switch; not told by class, which a real DGX-2 gives as 0 for one of
    // its twelve. Where the switch is no function, its name is made up; a CPU's is "Package 0".
    private bool LeadsToSwitch(InterconnectLink link) =>
        link.To is { } to
            ? machine.TryFind(to, out PciFunction? target) && !DeviceRoles.IsGpu(target)
            : link.ToName is { } name && name.StartsWith("ffff", StringComparison.Ordinal);
}
