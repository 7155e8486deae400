using System.Xml.Linq;

namespace Mm.Repo.Tests.Direction;

public sealed class ProjectReferenceTests
{
    // Who may name whom; docs/architecture.md draws it.
    private static readonly Dictionary<string, string[]> Allowed = new(StringComparer.Ordinal)
    {
        ["Mm.Analyzers"] = [],
        ["Mm.Core"] = [],
        ["Mm.P2pDma"] = ["Mm.Core"],
        ["Mm.Hmm"] = ["Mm.Core"],
        ["Mm.DmaBuf"] = ["Mm.Core", "Mm.P2pDma"],
        ["Mm.Devices"] = ["Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf"],
        ["Mm.Conformance"] = ["Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf", "Mm.Devices"],
        ["Mm.Cli"] = ["Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf", "Mm.Devices", "Mm.Conformance"],
    };

    private static readonly string[] LibraryPackages = ["SharpZipLib", "Microsoft.Extensions.ObjectPool"];

    [Test]
    public void Projects_EachOfSrc_HasARule()
    {
        Assert.That(Repository.Projects, Is.EquivalentTo(Allowed.Keys));
    }

    [TestCaseSource(typeof(Repository), nameof(Repository.Projects))]
    public void Project_References_LookDownOnly(string project)
    {
        Assert.That(LookingUp(project, Repository.Read($"src/{project}/{project}.csproj")), Is.Empty);
    }

    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    [TestCase("Mm.Devices")]
    [TestCase("Mm.Conformance")]
    public void Library_Packages_AreNoTestOrConsolePackages(string project)
    {
        Assert.That(ForeignPackages(Repository.Read($"src/{project}/{project}.csproj")), Is.Empty);
    }

    [Test]
    public void Testing_Packages_AreFsCheckAlone()
    {
        XDocument file = XDocument.Parse(Repository.Read("tests/Mm.Testing/Mm.Testing.csproj"));

        Assert.That(
            file.Descendants("PackageReference").Select(reference => reference.Attribute("Include")!.Value),
            Is.EqualTo((string[])["FsCheck"]));
    }

    internal static IEnumerable<string> LookingUp(string project, string text) => XDocument.Parse(text)
        .Descendants("ProjectReference")
        .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')))
        .Except(Allowed[project]);

    internal static IEnumerable<string> ForeignPackages(string text) => XDocument.Parse(text)
        .Descendants("PackageReference").Select(reference => reference.Attribute("Include")!.Value).Except(LibraryPackages);
}
