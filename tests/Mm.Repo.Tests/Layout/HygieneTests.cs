using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mm.Repo.Tests.Layout;

public sealed partial class HygieneTests
{
    private static readonly string[] Texts = [".cs", ".md", ".csproj", ".props", ".json", ".txt", ".sh", "run"];

    [Test]
    public void Code_Anywhere_PutsNothingOff()
    {
        IEnumerable<string> found = SourceFile.All.SelectMany(file => Matches(file.Path, file.Text, PutOff()));

        Findings.AssertNone(found, "what is left to do is an issue, not a comment");
    }

    [Test]
    public void Code_Anywhere_FoldsNothingAway()
    {
        IEnumerable<string> found = SourceFile.All
            .Where(file => file.Syntax.DescendantTrivia().Any(trivia => trivia.IsKind(SyntaxKind.RegionDirectiveTrivia)))
            .Select(file => file.Path);

        Findings.AssertNone(found, "no #region");
    }

    [Test]
    public void Texts_Anywhere_NameNoPathOfOneMachine()
    {
        IEnumerable<string> found = Texts.SelectMany(suffix => Repository.Files(".", suffix))
            .Where(path => !path.Contains("/Recordings/", StringComparison.Ordinal))
            .SelectMany(path => Matches(path, Repository.Read(path), MachinePath()));

        Findings.AssertNone(found, "the repository works wherever it is checked out");
    }

    [Test]
    public void Tests_Anywhere_DoNotSleep()
    {
        IEnumerable<string> found = SourceFile.Tests.Where(file => file.Project != "Mm.Repo.Tests")
            .SelectMany(file => Matches(file.Path, file.Text, Sleep()));

        Findings.AssertNone(found, "wait for a condition, or run the interleaving");
    }

    [TestCase("README.md")]
    [TestCase("CHANGELOG.md")]
    [TestCase("CONTRIBUTING.md")]
    [TestCase("SECURITY.md")]
    [TestCase("LICENSE")]
    [TestCase("docs/architecture.md")]
    [TestCase("docs/linux-map.md")]
    public void Document_OfEveryRepository_IsThere(string path)
    {
        Assert.That(Repository.Exists(path), Is.True);
        Assert.That(Repository.Read(path).Trim(), Is.Not.Empty);
    }

    [Test]
    public void Changelog_Topmost_IsUnreleased()
    {
        string first = Repository.Read("CHANGELOG.md").Split('\n').First(line => line.StartsWith("## ", StringComparison.Ordinal));

        Assert.That(first, Is.EqualTo("## [Unreleased]"));
    }

    [Test]
    public void LockFiles_OfEachProject_AreCheckedIn()
    {
        IEnumerable<string> found = Repository.Files(".", ".csproj").Where(path => !path.StartsWith("samples/", StringComparison.Ordinal))
            .Where(path => !Repository.Exists(Path.Combine(Path.GetDirectoryName(path)!, "packages.lock.json")));

        Findings.AssertNone(found, "restores are locked");
    }

    [Test]
    public void Projects_OnDisk_AreAllInTheSolution()
    {
        string solution = Repository.Read("Mm.sln").Replace('\\', '/');
        IEnumerable<string> found = Repository.Files(".", ".csproj").Where(path => !solution.Contains(path, StringComparison.Ordinal));

        Findings.AssertNone(found, "a project outside the solution is never built");
    }

    private static IEnumerable<string> Matches(string path, string text, Regex pattern) =>
        text.Split('\n').Select((line, index) => (line, index))
            .Where(at => pattern.IsMatch(at.line))
            .Select(at => $"{path}:{at.index + 1}: {at.line.Trim()}");

    // Each written in two parts, so that this file does not find itself.
    [GeneratedRegex("TO" + @"DO|FIX" + @"ME|\bHA" + @"CK\b|\bXX" + @"X\b|NotImplemented" + "Exception", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PutOff();

    [GeneratedRegex(@"(?<![\w.])/(ho" + @"me|ro" + @"ot|wo" + @"rk|Us" + @"ers)/\w|/tm" + @"p/linux|[A-Z]:\\" + "Users", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex MachinePath();

    [GeneratedRegex(@"Thread\.Sl" + @"eep|Task\.De" + "lay", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Sleep();
}
