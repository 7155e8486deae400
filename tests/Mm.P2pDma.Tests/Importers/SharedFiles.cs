namespace Mm.P2pDma.Tests.Importers;

/// <summary>Finds files for tests: our own fixtures, and real machines in <c>../shared</c> beside the repository, where that is present.</summary>
internal static class SharedFiles
{
    /// <summary>A fixture of ours, by its name.</summary>
    internal static string Fixture(string name) =>
        Path.Combine(TestContext.CurrentContext.TestDirectory, "Importers", "Fixtures", name);

    /// <summary>Whether the real machines are there.</summary>
    internal static bool HasMachines => FindMachines() is not null;

    /// <summary>The files of a folder of real machines; ignores the test, saying so, where it is absent.</summary>
    /// <param name="folder">The folder below <c>machines</c>.</param>
    /// <param name="pattern">Which files.</param>
    internal static IReadOnlyList<string> Machines(string folder, string pattern)
    {
        if (FindMachines() is { } machines)
        {
            return [.. Directory.GetFiles(Path.Combine(machines, folder), pattern).Order(StringComparer.Ordinal)];
        }

        Assert.Ignore("../shared/machines is absent: the real machines are not tested");
        return [];
    }

    private static string? FindMachines()
    {
        for (DirectoryInfo? at = new(TestContext.CurrentContext.TestDirectory); at is not null; at = at.Parent)
        {
            string candidate = Path.Combine(at.FullName, "shared", "machines");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}
