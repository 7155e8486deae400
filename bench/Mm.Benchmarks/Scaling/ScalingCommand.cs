using System.Globalization;
using Mm.Benchmarks.Peers;

namespace Mm.Benchmarks.Scaling;

/// <summary><c>scaling [--out FOLDER] [--runs 9] [--only memory]</c>: what an operation costs from small sizes to large ones, as tables and SVG.</summary>
internal static class ScalingCommand
{
    private const int WarmUps = 3;

    public static int Run(string[] args)
    {
        string folder = CommandLine.ValueOf(args, "--out") ?? Path.Combine("docs", "plots");
        int runs = int.Parse(CommandLine.ValueOf(args, "--runs") ?? "9", CultureInfo.InvariantCulture);
        string? only = CommandLine.ValueOf(args, "--only");
        _ = Directory.CreateDirectory(folder);
        CpuChoice.First();
        foreach (Chart chart in Charts.All().Where(chart => only is null || chart.Name == only))
        {
            double[][] figures = Measure(chart, runs);
            File.WriteAllText(Path.Combine(folder, $"{chart.Name}.svg"), LogPlot.Draw(chart, figures));
            Print(chart, figures);
        }

        return 0;
    }

    // All sizes in turn, and again: a machine whose speed drifts disturbs all of them alike.
    private static double[][] Measure(Chart chart, int runs)
    {
        double[][] medians = [.. chart.Curves.Select(_ => new double[chart.Sizes.Count])];
        for (int curve = 0; curve < chart.Curves.Count; curve++)
        {
            Func<ulong, double> measure = chart.Curves[curve].Measure;
            List<double>[] all = [.. chart.Sizes.Select(static _ => new List<double>())];
            for (int run = -WarmUps; run < runs; run++)
            {
                for (int at = 0; at < chart.Sizes.Count; at++)
                {
                    double figure = measure(chart.Sizes[at]);
                    if (run >= 0)
                    {
                        all[at].Add(figure);
                    }
                }
            }

            medians[curve] = [.. all.Select(static figures => figures.Order().ElementAt(figures.Count / 2))];
        }

        return medians;
    }

    private static void Print(Chart chart, double[][] figures)
    {
        Console.WriteLine($"| {chart.Title}, ns by {chart.Size} | {string.Join(" | ", chart.Sizes.Select(chart.Tell))} |");
        Console.WriteLine($"|---|{string.Concat(chart.Sizes.Select(static _ => "---|"))}");
        for (int curve = 0; curve < figures.Length; curve++)
        {
            string row = string.Join(" | ", figures[curve].Select(static figure => figure.ToString("0.0", CultureInfo.InvariantCulture)));
            Console.WriteLine($"| {chart.Curves[curve].Name} | {row} |");
        }

        Console.WriteLine();
    }
}
