using System.Reflection;

namespace Mm.Repo.Tests.Docs;

/// <summary>What a document shows of the tool: a fence <c>console</c> whose lines <c>$ mm …</c> each stand before what it prints.</summary>
internal sealed record ToolTranscript(string Path, int Line, IReadOnlyList<string> Arguments, string Output)
{
    private const string Prompt = "$ mm ";

    public static IReadOnlyList<ToolTranscript> In(string path, string text)
    {
        var found = new List<ToolTranscript>();
        string[] lines = text.Split('\n');
        bool isInside = false;
        for (int at = 0; at < lines.Length; at++)
        {
            isInside = lines[at].TrimEnd() == "```console" || (isInside && lines[at].TrimEnd() != "```");
            if (isInside && lines[at].StartsWith(Prompt, StringComparison.Ordinal))
            {
                IEnumerable<string> output = lines.Skip(at + 1).TakeWhile(line =>
                    line.TrimEnd() != "```" && !line.StartsWith(Prompt, StringComparison.Ordinal));
                found.Add(new ToolTranscript(
                    path, at + 1, lines[at][Prompt.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries),
                    string.Join('\n', output).TrimEnd()));
            }
        }

        return found;
    }

    /// <summary>Runs the tool as it is built.</summary>
    /// <returns>What it printed.</returns>
    public string Run() => SampleProgram.Invoke(Assembly.Load("mm").EntryPoint!, [.. Arguments]).Printed.TrimEnd();

    public override string ToString() => $"{Path}:{Line}: mm {string.Join(' ', Arguments)}";
}
