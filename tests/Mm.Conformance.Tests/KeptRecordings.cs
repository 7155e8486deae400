namespace Mm.Conformance.Tests;

/// <summary>Where recordings are: a selection beside the tests, all of them in the shared folder where there is one.</summary>
internal static class KeptRecordings
{
    private static string Folder => Path.Combine(TestContext.CurrentContext.TestDirectory, "Recordings");

    /// <summary>The kept recordings of a kind.</summary>
    public static string[] Of(string kind) => Directory.GetFiles(Folder, $"{kind}-*.txt.gz");

    /// <summary>The shared recordings of a kind; ignores the test where they are absent.</summary>
    public static string Shared(string kind)
    {
        for (DirectoryInfo? at = new(TestContext.CurrentContext.TestDirectory); at is not null; at = at.Parent)
        {
            bool isTop = File.Exists(Path.Combine(at.FullName, "Mm.sln"));
            string[] beside = [Path.Combine(at.FullName, "..", "shared"), Path.Combine(at.FullName, "..", "..", "shared")];
            foreach (string shared in isTop ? beside : [])
            {
                string folder = Path.GetFullPath(Path.Combine(shared, "recordings", kind));
                if (Directory.Exists(folder))
                {
                    return folder;
                }
            }
        }

        Assert.Ignore($"../shared/recordings/{kind} is not there; the selection in Recordings/ is replayed instead");
        return "";
    }

    public static string Describe(ConformanceReport report) => string.Join(
        '\n', report.Files.SelectMany(file => file.First.Select(d => d.ToString()).Append(file.Error?.ToString() ?? file.ToString())));
}
