using System.Text.Json;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>The kernel's answer for every provider and client: map type and distance, the matrix that no other tool prints.</summary>
internal sealed class P2pMatrixPicture
{
    private const string Legend = """

        Rows are providers, columns are clients.
          B4  bus address: direct, 4 hops
          H4  through the host bridge, 4 hops
          -   not supported: mapping answers EREMOTEIO
          ?   behind a verdict: not all facts are known (mm p2p check says which)
        """;

    private readonly P2pRouter router;
    private readonly P2pMatrix matrix;

    /// <summary>Asks for all pairs.</summary>
    /// <param name="router">Machine and rules.</param>
    /// <param name="isAll">Whether every endpoint counts, or only those that use peer-to-peer DMA as a rule.</param>
    public P2pMatrixPicture(P2pRouter router, bool isAll)
    {
        this.router = router;
        PciPlace[] places = [.. router.Topology.Snapshot.Functions
            .Where(function => isAll ? !function.CanHaveChildren : IsPeer(function))
            .Select(function => function.Place)
            .Order()];
        matrix = router.Matrix(places);
    }

    /// <summary>Draws it for a person.</summary>
    public void Draw(TextWriter output)
    {
        if (matrix.Functions.Count == 0)
        {
            output.WriteLine("no GPUs, NICs or NVMe drives; --all shows every endpoint");
            return;
        }

        int nameWidth = matrix.Functions.Max(function => Name(function).Length);
        int cellWidth = 2 + Math.Max(Digits(matrix.Functions.Count) + 1, Cells().Max(cell => cell.Length));
        output.Write(new string(' ', nameWidth + 1 + Digits(matrix.Functions.Count) + 1));
        for (int column = 0; column < matrix.Functions.Count; column++)
        {
            output.Write($"#{column}".PadLeft(cellWidth));
        }

        output.WriteLine();
        for (int row = 0; row < matrix.Functions.Count; row++)
        {
            output.Write($"#{row}".PadRight(Digits(matrix.Functions.Count) + 2));
            output.Write(Name(matrix.Functions[row]).PadRight(nameWidth));
            for (int column = 0; column < matrix.Functions.Count; column++)
            {
                output.Write(Cell(matrix[row, column]).PadLeft(cellWidth));
            }

            output.WriteLine();
        }

        output.WriteLine(Legend);
        output.WriteLine();
        output.WriteLine($"Rules: {router.Rules}.");
    }

    /// <summary>Writes it for a program: the functions and a row of verdicts for each.</summary>
    public void WriteJson(TextWriter output)
    {
        var rows = matrix.Functions.Select((function, row) => new
        {
            provider = function.Place.ToString(),
            name = Name(function),
            verdicts = matrix.Functions.Select((client, column) => new
            {
                client = client.Place.ToString(),
                map = matrix[row, column].Kind.ToString(),
                hops = matrix[row, column].Hops,
                isCertain = matrix[row, column].IsCertain,
            }),
        });
        output.WriteLine(JsonSerializer.Serialize(new { rules = router.Rules.Name, rows }, JsonOutput.Options));
    }

    private static bool IsPeer(PciFunction function) =>
        DeviceRoles.IsGpu(function) || DeviceRoles.IsNic(function) || DeviceRoles.IsNvme(function);

    private static string Name(PciFunction function) =>
        function.OsDevices.Count > 0 ? $"{function.Place} {function.OsDevices[0].Name}" : function.Place.ToString();

    private static string Cell(P2pVerdict verdict)
    {
        string kind = verdict.Kind switch
        {
            P2pMapKind.BusAddress => $"B{verdict.Hops}",
            P2pMapKind.ThroughHostBridge => $"H{verdict.Hops}",
            _ => "-",
        };
        return verdict.IsCertain ? kind : kind + "?";
    }

    private static int Digits(int count) => (count - 1).ToString().Length;

    private IEnumerable<string> Cells()
    {
        for (int row = 0; row < matrix.Functions.Count; row++)
        {
            for (int column = 0; column < matrix.Functions.Count; column++)
            {
                yield return Cell(matrix[row, column]);
            }
        }
    }
}
