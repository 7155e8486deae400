using System.Text.RegularExpressions;

namespace Mm.Repo.Tests.Docs;

public sealed partial class LinkTests
{
    [Test]
    public void Links_InDocuments_LeadToFilesThatExist()
    {
        IEnumerable<string> found = Repository.Files(".", ".md").SelectMany(path => Broken(path, Repository.Read(path)));

        Findings.AssertNone(found, "a relative link leads to a file or folder of the repository");
    }

    internal static IEnumerable<string> Broken(string path, string text) => Link().Matches(text)
        .Select(match => match.Groups["name"].Value)
        .Where(target => !target.Contains("://", StringComparison.Ordinal) && target[0] != '#' && !target.StartsWith("mailto:", StringComparison.Ordinal))
        .Where(target => !ExistsBeside(path, target.Split('#')[0]))
        .Select(target => $"{path}: {target}");

    private static bool ExistsBeside(string path, string target)
    {
        string full = Repository.Absolute(Path.Combine(Path.GetDirectoryName(path)!, target));
        return File.Exists(full) || Directory.Exists(full);
    }

    [GeneratedRegex(@"\]\((?<name>[^)\s]+)\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();
}
