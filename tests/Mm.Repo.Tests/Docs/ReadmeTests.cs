namespace Mm.Repo.Tests.Docs;

public sealed class ReadmeTests
{
    private static readonly string[] Commands =
        ["dotnet test -c Release", "dotnet run -c Release --project src/Mm.Cli -- tour"];

    [Test]
    public void Readme_Length_IsAtMostTwoHundredAndFiftyLines()
    {
        Assert.That(Repository.Read("README.md").Split('\n'), Has.Length.AtMost(250));
    }

    [Test]
    public void Readme_Commands_AreExactlyTheTwoForAFreshMachine()
    {
        string[] named = [.. Repository.Read("README.md").Split('\n').Where(line => line.StartsWith("dotnet ", StringComparison.Ordinal))];

        Assert.That(named, Is.EquivalentTo(Commands));
    }

    [Test]
    public void CiRun_Runs_TheReadmeCommands()
    {
        string script = Repository.Read(".ci/run");

        Assert.That(script, Does.Contain(Commands[0]).And.Contain(Commands[1]));
    }
}
