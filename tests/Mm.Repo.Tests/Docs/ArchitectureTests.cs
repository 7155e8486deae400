using System.Text.RegularExpressions;

namespace Mm.Repo.Tests.Docs;

/// <summary>docs/architecture.md has each rank that a lock of the sources takes, in the order of the ranks.</summary>
public sealed partial class ArchitectureTests
{
    private const string Page = "docs/architecture.md";

    [Test]
    public void LockTable_Ranks_AreThoseOfTheLocksInTheirOrder()
    {
        HashSet<string> taken = [.. SourceFile.Sources.SelectMany(static file => Rank().Matches(file.Text)).Select(static match => match.Groups["name"].Value)];
        string[] wanted = [.. Enum.GetNames<Core.Locking.LockRank>().Where(taken.Contains)];

        Assert.That(Listed(Repository.Read(Page)), Is.EqualTo(wanted));
    }

    private static IEnumerable<string> Listed(string page) => page
        .Split("\n| Rank, outermost first | Protects |\n", 2)[1].Split("\n\n", 2)[0].Split('\n').Skip(1)
        .SelectMany(static line => line.Split('|')[1].Split(',', StringSplitOptions.TrimEntries));

    [GeneratedRegex(@"\bLockRank\.(?<name>\w+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Rank();
}
