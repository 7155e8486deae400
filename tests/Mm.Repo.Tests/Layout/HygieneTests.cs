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
        Findings.AssertNone(SourceFile.All.SelectMany(file => PutOffs(file.Path, file.Text)), "what is left to do is an issue, not a comment");
    }

    [Test]
    public void Code_Anywhere_FoldsNothingAway()
    {
        Findings.AssertNone(Regions(SourceFile.All), "no #region");
    }

    [Test]
    public void Texts_Anywhere_NameNoPathOfOneMachine()
    {
        IEnumerable<string> found = Texts.SelectMany(suffix => Repository.Files(".", suffix))
            .Where(path => !path.Contains("/Recordings/", StringComparison.Ordinal))
            .SelectMany(path => MachinePaths(path, Repository.Read(path)));

        Findings.AssertNone(found, "the repository works wherever it is checked out");
    }

    [Test]
    public void Tests_Anywhere_DoNotSleep()
    {
        IEnumerable<string> found = SourceFile.Tests.Where(file => file.Project != "Mm.Repo.Tests")
            .SelectMany(file => Sleeps(file.Path, file.Text));

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
            .Where(path => !HasLockFile(path, Repository.Exists));

        Findings.AssertNone(found, "restores are locked");
    }

    [Test]
    public void Projects_OnDisk_AreAllInTheSolution()
    {
        Findings.AssertNone(OutsideTheSolution(Repository.Files(".", ".csproj"), Repository.Read("Mm.sln")), "a project outside the solution is never built");
    }

    internal static IEnumerable<string> PutOffs(string path, string text) => Matches(path, text, PutOff());

    internal static IEnumerable<string> MachinePaths(string path, string text) => Matches(path, text, MachinePath());

    internal static IEnumerable<string> Sleeps(string path, string text) => Matches(path, text, Sleep());

    internal static IEnumerable<string> Regions(IEnumerable<SourceFile> files) => files
        .Where(file => file.Syntax.DescendantTrivia(descendIntoTrivia: true)
            .Any(trivia => trivia.IsKind(SyntaxKind.RegionDirectiveTrivia)))
        .Select(file => file.Path);

    internal static bool HasLockFile(string project, Func<string, bool> exists) =>
        exists(Path.Combine(Path.GetDirectoryName(project)!, "packages.lock.json"));

    internal static IEnumerable<string> OutsideTheSolution(IEnumerable<string> projects, string solution) =>
        projects.Where(path => !solution.Replace('\\', '/').Contains($"\"{path}\"", StringComparison.Ordinal));

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
