namespace Mm.Repo.Tests;

/// <summary>Turns what a rule found into a failure that lists it all.</summary>
internal static class Findings
{
    public static void AssertNone(IEnumerable<string> found, string rule)
    {
        string[] all = [.. found];
        Assert.That(all, Is.Empty, $"{rule}\n{string.Join('\n', all)}\n");
    }
}
