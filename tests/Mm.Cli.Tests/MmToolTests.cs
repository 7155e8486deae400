namespace Mm.Cli.Tests;

[TestFixture]
internal sealed class MmToolTests
{
    [Test]
    public void Help_OfTheTool_NamesEveryVerb()
    {
        ToolRun run = ToolRun.Of("--help");
        Assert.That(run.ExitCode, Is.Zero);
        foreach (string verb in new[] { "tour", "topo", "p2p", "conform", "completion" })
        {
            Assert.That(run.Output, Does.Contain($"  {verb}"));
        }
    }

    [TestCase("nonsense")]
    [TestCase("topo", "show")]
    [TestCase("topo", "show", "two-switch", "--colour")]
    [TestCase("p2p", "check", "two-switch", "0000:03:00.0")]
    [TestCase("conform")]
    [TestCase("completion", "cmd")]
    public void WrongUsage_OfAnyVerb_ExitsWith2AndSaysWhy(params string[] args)
    {
        ToolRun run = ToolRun.Of(args);
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith("mm: ").And.Contain("mm --help"));
    }

    [Test]
    public void Completion_OfAMachine_OffersTheBuiltInOnes()
    {
        ToolRun run = ToolRun.Of("[suggest:14]", "mm topo show tw");
        Assert.That(run.Output, Does.Contain("two-switch"));
    }

    [TestCase("bash", "complete -o default -F _mm mm")]
    [TestCase("zsh", "compdef _mm mm")]
    [TestCase("fish", "complete -c mm")]
    public void Completion_OfAShell_PrintsItsScript(string shell, string line) =>
        Assert.That(ToolRun.Of("completion", shell).Output, Does.Contain(line));
}
