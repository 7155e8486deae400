namespace Mm.Repo.Tests.Docs;

/// <summary>What documents show of the tool is what the tool prints.</summary>
public sealed class ToolTranscriptTests
{
    private static IEnumerable<ToolTranscript> Shown => Repository.Files("docs", ".md").Append("README.md")
        .SelectMany(path => ToolTranscript.In(path, Repository.Read(path)));

    [Test]
    public void Readme_ShowsATreeAndAnAnswer()
    {
        IEnumerable<string> shown = ToolTranscript.In("README.md", Repository.Read("README.md"))
            .Select(transcript => string.Join(' ', transcript.Arguments));

        Assert.That(shown, Is.SupersetOf((string[])["topo show -t two-switch", "p2p check two-switch 0000:07:00.0 0000:08:00.0"]));
    }

    [TestCaseSource(nameof(Shown))]
    public void Transcript_OfADocument_IsWhatTheToolPrints(object shown)
    {
        var transcript = (ToolTranscript)shown;

        Assert.That(transcript.Run(), Is.EqualTo(transcript.Output), transcript.ToString());
    }

    [Test]
    public void In_TwoCommands_SplitsThemAndStopsAtTheFence()
    {
        IReadOnlyList<ToolTranscript> found = ToolTranscript.In(
            "a.md", "$ mm outside\n```console\n$ mm a b\nx\n\n$ mm c\ny\n```\n$ mm outside\n```text\n$ mm outside\n```\n");

        Assert.That(
            found.Select(transcript => (transcript.Line, string.Join(' ', transcript.Arguments), transcript.Output)),
            Is.EqualTo(((int, string, string)[])[(3, "a b", "x"), (6, "c", "y")]));
    }
}
