namespace Mm.Repo.Tests;

/// <summary>The checked-out files, found from the test assembly upward.</summary>
internal static class Repository
{
    private static readonly string[] Built = ["bin", "obj", "artifacts", ".git", "TestResults", "BenchmarkDotNet.Artifacts"];

    public static string Root { get; } = FindRoot();

    /// <summary>The library projects, in the order in which they may look at each other.</summary>
    public static IReadOnlyList<string> Projects { get; } =
        [.. Directory.GetDirectories(Absolute("src")).Select(Path.GetFileName).Order(StringComparer.Ordinal)!];

    public static string Absolute(string relative) => Path.Combine(Root, relative);

    public static string Read(string relative) => File.ReadAllText(Absolute(relative));

    public static bool Exists(string relative) => File.Exists(Absolute(relative));

    /// <summary>Files under a folder by their name's end, relative to the root, with '/' and without what a build makes.</summary>
    public static IReadOnlyList<string> Files(string folder, string suffix)
    {
        var found = new List<string>();
        Collect(new DirectoryInfo(Absolute(folder)), suffix, found);
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    private static void Collect(DirectoryInfo folder, string suffix, List<string> found)
    {
        if (!folder.Exists)
        {
            return;
        }

        found.AddRange(folder.EnumerateFiles()
            .Where(file => file.Name.EndsWith(suffix, StringComparison.Ordinal))
            .Select(file => Path.GetRelativePath(Root, file.FullName).Replace('\\', '/')));
        foreach (DirectoryInfo child in folder.EnumerateDirectories().Where(child => !Built.Contains(child.Name)))
        {
            Collect(child, suffix, found);
        }
    }

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Mm.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException($"no Mm.sln above {AppContext.BaseDirectory}");
    }
}
