using System.Globalization;
using System.Text;

namespace Mm.Benchmarks.Scaling;

/// <summary>Draws a chart's curves over logarithmic axes, as SVG.</summary>
internal static class LogPlot
{
    private const double Width = 720;
    private const double Height = 400;
    private const double Left = 70;
    private const double Right = 260; // where the names stand
    private const double Above = 40;
    private const double Below = 50;

    private static readonly string[] Colours = ["#1b6ca8", "#c0392b", "#27864a", "#8e44ad", "#b9770e"];

    /// <summary>Draws it.</summary>
    /// <param name="chart">The chart.</param>
    /// <param name="figures">Nanoseconds of each curve at each size.</param>
    /// <returns>The SVG's text.</returns>
    internal static string Draw(Chart chart, IReadOnlyList<double[]> figures)
    {
        double lowest = Math.Pow(10, Math.Floor(Math.Log10(figures.Min(static row => row.Min()))));
        double highest = Math.Pow(10, Math.Ceiling(Math.Log10(figures.Max(static row => row.Max()))));
        var svg = new StringBuilder();
        Line(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Width}\" height=\"{Height}\" font-family=\"sans-serif\" font-size=\"12\">");
        Line(svg, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Text(svg, Left, 22, "start", $"{chart.Title}: ns by {chart.Size}", " font-size=\"15\"");
        for (double tick = lowest; tick <= highest * 1.01; tick *= 10)
        {
            double y = Y(tick, lowest, highest);
            Line(svg, $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y:0.0}\" y2=\"{y:0.0}\" stroke=\"#ddd\"/>");
            Text(svg, Left - 6, y + 4, "end", $"{tick:0.###}");
        }

        foreach (ulong size in chart.Sizes)
        {
            Text(svg, X(size, chart), Height - Below + 20, "middle", chart.Tell(size));
        }

        for (int curve = 0; curve < figures.Count; curve++)
        {
            Draw(svg, chart, curve, figures[curve], lowest, highest);
        }

        Line(svg, $"</svg>");
        return svg.ToString();
    }

    private static void Draw(StringBuilder svg, Chart chart, int curve, double[] figures, double lowest, double highest)
    {
        string colour = Colours[curve % Colours.Length];
        (double X, double Y)[] points = [.. chart.Sizes.Select((size, at) => (X(size, chart), Y(figures[at], lowest, highest)))];
        string way = string.Join(' ', points.Select(static point => string.Create(CultureInfo.InvariantCulture, $"{point.X:0.0},{point.Y:0.0}")));
        Line(svg, $"<polyline points=\"{way}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>");
        foreach ((double x, double y) in points)
        {
            Line(svg, $"<circle cx=\"{x:0.0}\" cy=\"{y:0.0}\" r=\"3\" fill=\"{colour}\"/>");
        }

        double row = Above + 16 + (curve * 20);
        Line(svg, $"<rect x=\"{Width - Right + 12}\" y=\"{row - 9}\" width=\"12\" height=\"4\" fill=\"{colour}\"/>");
        Text(svg, Width - Right + 30, row - 3, "start", chart.Curves[curve].Name);
    }

    private static double X(ulong size, Chart chart)
    {
        double first = Math.Log(chart.Sizes[0]);
        double last = Math.Log(chart.Sizes[^1]);
        return Left + 20 + ((Math.Log(size) - first) / (last - first) * (Width - Left - Right - 40));
    }

    private static double Y(double value, double lowest, double highest) =>
        Height - Below - ((Math.Log(value) - Math.Log(lowest)) / (Math.Log(highest) - Math.Log(lowest)) * (Height - Above - Below));

    private static void Text(StringBuilder svg, double x, double y, string anchor, string text, string style = "") =>
        Line(svg, $"<text x=\"{x:0.0}\" y=\"{y:0.0}\" text-anchor=\"{anchor}\"{style}>{text}</text>");

    private static void Line(StringBuilder svg, FormattableString line) =>
        svg.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
