using System.Text;

namespace Mm.Repo.Tests.Docs;

/// <summary>A C# fence of a document, and the text fence that follows it, if one does: what the sample prints.</summary>
internal sealed record MarkdownSample(string Path, int Line, string Code, string? Output)
{
    public static IReadOnlyList<MarkdownSample> In(string path)
    {
        var samples = new List<MarkdownSample>();
        string[] lines = Repository.Read(path).Split('\n');
        for (int at = 0; at < lines.Length; at++)
        {
            if (lines[at].TrimEnd() is "```csharp" or "```cs")
            {
                int start = at + 1;
                string code = Fence(lines, start, out at);
                string? output = at + 2 < lines.Length && lines[at + 1].Length == 0 && lines[at + 2].TrimEnd() == "```text"
                    ? Fence(lines, at + 3, out _)
                    : null;
                samples.Add(new MarkdownSample(path, start, code, output));
            }
        }

        return samples;
    }

    /// <summary>Compiles the sample as a program of its own and runs it.</summary>
    /// <returns>What it printed.</returns>
    public string Run() => SampleProgram.Run(ToString(), Code).Printed;

    public override string ToString() => $"{Path}:{Line}";

    private static string Fence(string[] lines, int start, out int end)
    {
        var text = new StringBuilder();
        for (end = start; lines[end].TrimEnd() != "```"; end++)
        {
            text.Append(lines[end]).Append('\n');
        }

        return text.ToString();
    }
}
