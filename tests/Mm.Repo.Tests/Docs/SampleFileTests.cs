namespace Mm.Repo.Tests.Docs;

/// <summary>Each program of samples/ is short, compiles, runs, and prints what the text file beside it says.</summary>
public sealed class SampleFileTests
{
    private const int MaxLines = 80;

    private static IEnumerable<string> Programs => Repository.Files("samples", ".cs");

    [Test]
    public void Readme_Table_HasEachSampleOnce()
    {
        IEnumerable<string> listed = Repository.Read("README.md").Split('\n').Where(static line => line.StartsWith("| [", StringComparison.Ordinal))
            .Select(static line => line.Split('(', ')')[1]);

        Assert.That(listed, Is.EquivalentTo(Programs).And.Not.Empty);
    }

    [TestCaseSource(nameof(Programs))]
    public void Program_Each_IsShortAndNamesItsProject(string path)
    {
        string[] lines = Repository.Read(path).Split('\n');

        Assert.That(lines, Has.Length.LessThan(MaxLines));
        Assert.That(lines[0], Does.Match(@"^#:project \.\./src/Mm\.\w+/Mm\.\w+\.csproj$"));
        Assert.That(Repository.Exists(lines[0]["#:project ../".Length..]), Is.True);
        Assert.That(lines, Has.Some.EndsWith($"dotnet run -c Release {path}").Or.Some.Contains($"dotnet run -c Release {path} "));
    }

    [TestCaseSource(nameof(Programs))]
    public void Program_Each_RunsAndPrintsWhatIsBesideIt(string path)
    {
        string expected = Repository.Read(Path.ChangeExtension(path, ".txt"));

        (string printed, _) = SampleProgram.Run(path, Repository.Read(path));

        Assert.That(printed, Is.EqualTo(expected), path);
    }

    [Test]
    public void CanAReachB_RefusedPair_SaysWhyAndExitsWithOne()
    {
        (string printed, int exit) = Ask("two-switch", "0000:03:00.0", "0000:81:00.0");

        Assert.That(exit, Is.EqualTo(1));
        Assert.That(printed, Does.StartWith("0000:81:00.0 -> 0000:03:00.0: not supported"));
    }

    [Test]
    public void CanAReachB_MachineFile_IsImported()
    {
        (string printed, int exit) = Ask(
            Repository.Absolute("src/Mm.P2pDma/Machines/two-switch.json"), "0000:03:00.0", "0000:04:00.0");

        Assert.That((exit, printed.Split('\n')[0]), Is.EqualTo((0, "0000:04:00.0 -> 0000:03:00.0: bus address, 4 hops (PIX)")));
    }

    [Test]
    public void CanAReachB_NoMachine_ExitsWithTwo()
    {
        TextWriter console = Console.Error;
        using var said = new StringWriter();
        Console.SetError(said);
        try
        {
            (string printed, int exit) = Ask(Repository.Absolute("README.md"), "a", "b");

            Assert.That((printed, exit), Is.EqualTo(("", 2)));
            Assert.That(said.ToString(), Does.Contain("README.md:1:1: the format is not known"));
        }
        finally
        {
            Console.SetError(console);
        }
    }

    private static (string Printed, int ExitCode) Ask(params string[] args) =>
        SampleProgram.Run("can-a-reach-b", Repository.Read("samples/can-a-reach-b.cs"), args);
}
