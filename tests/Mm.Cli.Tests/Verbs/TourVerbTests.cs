using Mm.Cli.Tour;

namespace Mm.Cli.Tests.Verbs;

[TestFixture]
internal sealed class TourVerbTests
{
    private static IEnumerable<string> Chapters() => TourChapters.All.Select(chapter => chapter.Name);

    [TestCaseSource(nameof(Chapters))]
    public void Chapter_Alone_HoldsAllItsChecks(string chapter)
    {
        ToolRun run = ToolRun.Of("tour", chapter);
        Assert.That(run.ExitCode, Is.Zero, run.Output);
        Assert.That(run.Output, Does.StartWith($"== {chapter}: ").And.EndWith("all checks hold\n"));
    }

    [Test]
    public void Tour_Twice_SaysTheSame()
    {
        ToolRun first = ToolRun.Of("tour");
        ToolRun second = ToolRun.Of("tour");
        Assert.That(second, Is.EqualTo(first));
    }

    [Test]
    public void Tour_OfAnotherSeed_HoldsToo() => Assert.That(ToolRun.Of("tour", "--seed", "77").ExitCode, Is.Zero);

    [Test]
    public void List_Always_NamesEveryChapter() =>
        Assert.That(
            ToolRun.Of("tour", "--list").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]),
            Is.EqualTo(Chapters()));

    [Test]
    public void Chapter_ThatIsNone_ExitsWith2AndNamesThem()
    {
        ToolRun run = ToolRun.Of("tour", "finale");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("finale").And.Contain("machine path provider"));
    }

    [Test]
    public void Check_ThatDoesNotHold_IsCountedAndSaid()
    {
        using var output = new StringWriter();
        using var context = CliContext.Of(output, TextWriter.Null);
        using var stage = new TourStage(context, 1);
        stage.Check(false, "the moon is cheese");
        Assert.That((stage.FailedChecks, output.ToString()), Is.EqualTo((1, $"FAIL the moon is cheese{Environment.NewLine}")));
    }
}
