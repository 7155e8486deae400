namespace Mm.Repo.Tests.Docs;

/// <summary>Every C# fence of the documents is a program that compiles, runs and prints what the document says.</summary>
public sealed class SampleTests
{
    private static IEnumerable<string> Documents =>
        Repository.Files("docs", ".md").Concat(["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]);

    private static IEnumerable<MarkdownSample> Samples => Documents.Where(Repository.Exists).SelectMany(MarkdownSample.In);

    [Test]
    public void Readme_Samples_AreThere()
    {
        Assert.That(MarkdownSample.In("README.md"), Is.Not.Empty);
    }

    [TestCaseSource(nameof(Samples))]
    public void Sample_OfADocument_RunsAndPrintsWhatIsShown(object sample)
    {
        var markdown = (MarkdownSample)sample;
        string printed = markdown.Run();

        if (markdown.Output is not null)
        {
            Assert.That(printed.TrimEnd(), Is.EqualTo(markdown.Output.TrimEnd()), markdown.ToString());
        }
    }
}
