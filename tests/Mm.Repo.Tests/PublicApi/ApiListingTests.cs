namespace Mm.Repo.Tests.PublicApi;

/// <summary>The public surface changes when somebody says so: run the tests with <c>MM_UPDATE_API=1</c> and commit the listing.</summary>
public sealed class ApiListingTests
{
    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    [TestCase("Mm.Devices")]
    [TestCase("Mm.Conformance")]
    public void PublicApi_OfALibrary_IsTheListedOne(string project)
    {
        string path = Repository.Absolute($"docs/api/{project}.txt");
        string actual = ApiListing.Of(SourceModel.Of(project));
        if (Environment.GetEnvironmentVariable("MM_UPDATE_API") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, actual);
        }

        string[] listed = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n").Split('\n') : [];
        string[] found = actual.Split('\n');
        IEnumerable<string> difference = found.Except(listed, StringComparer.Ordinal).Select(line => $"+ {line}")
            .Concat(listed.Except(found, StringComparer.Ordinal).Select(line => $"- {line}"));

        Findings.AssertNone(difference, $"docs/api/{project}.txt lists the public API; MM_UPDATE_API=1 rewrites it");
        Assert.That(found, Is.EqualTo(listed), "the same lines in another order");
    }
}
