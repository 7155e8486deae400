using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Layout;

/// <summary>The test of src/Mm.X/Room/Foo.cs is tests/Mm.X.Tests/Room/FooTests.cs, or one of the other kinds beside it.</summary>
public sealed class MirrorTests
{
    // Tests of several files of a room together, and why no single file could have them.
    private static readonly Dictionary<string, string> Together = new(StringComparer.Ordinal)
    {
        ["tests/Mm.Core.Tests/AllocationGateTests.cs"] = "zero managed bytes on the hot paths of many rooms",
        ["tests/Mm.Core.Tests/PhysRanges/MachineOwnersTests.cs"] = "the owners of a machine's ranges, which several sources tell",
        ["tests/Mm.Devices.Tests/Soak/DevicesSoakTests.cs"] = "all devices at work on one machine",
        ["tests/Mm.P2pDma.Tests/Importers/HostileFilesTests.cs"] = "files made to hurt through all XML and JSON importers",
        ["tests/Mm.P2pDma.Tests/Importers/RealXmlMachinesTests.cs"] = "real files through all XML importers",
        ["tests/Mm.P2pDma.Tests/Importers/RealSysfsMachinesTests.cs"] = "real trees through all sysfs importers",
        ["tests/Mm.P2pDma.Tests/Importers/ImporterFuzzTests.cs"] = "mutated real files through all importers",
        ["tests/Mm.P2pDma.Tests/Machines/BuiltInMachineVerdictTests.cs"] = "routing over each built-in machine",
        ["tests/Mm.P2pDma.Tests/Routing/RealFileTests.cs"] = "routing over files of real machines",
        ["tests/Mm.P2pDma.Tests/Routing/RealMachineTests.cs"] = "routing over shapes of real machines",
        ["tests/Mm.P2pDma.Tests/Topologies/PciWordsTests.cs"] = "the small words of PCI, a table each",
    };

    // A file for each demand of the users' mails, which devices of several rooms meet together.
    private const string Demands = "Seeds";

    private static readonly string[] Kinds = ["Tests", "Properties", "Machine", "Interleavings", "SoakTests", "Contract", "Selftests"];

    [Test]
    public void TestFile_Each_StandsBesideWhatItTests()
    {
        Findings.AssertNone(
            Stray(Mirrored(SourceFile.Tests), SourceFile.Sources.Concat(SourceFile.Tests)),
            "tests mirror src path for path: the name before the kind is that of a source file of the same room");
    }

    [Test]
    public void PublicTypeWithBehaviour_Each_IsNamedByATestOfItsProject()
    {
        IEnumerable<SourceFile> sources = SourceFile.Sources
            .Where(file => file.Project is "Mm.Core" or "Mm.P2pDma" or "Mm.Hmm" or "Mm.DmaBuf" or "Mm.Devices" or "Mm.Conformance");

        Findings.AssertNone(
            Unnamed(sources, Mirrored(SourceFile.Tests)), "every public type that does something is used by a test of its own project");
    }

    [Test]
    public void Together_EachEntry_IsStillNeeded()
    {
        Assert.That(Together.Keys.Where(path => !Repository.Exists(path)), Is.Empty);
    }

    // A file of tests whose name ends in no kind would stand beside nothing.
    internal static IEnumerable<string> Stray(IEnumerable<SourceFile> tests, IEnumerable<SourceFile> sources)
    {
        SourceFile[] known = [.. sources];
        return tests.Where(file => Kind(file) is null ? HasTests(file) : !Together.ContainsKey(file.Path) && !HasSubject(file, known))
            .Select(file => file.Path);
    }

    // A type is named by an identifier, its own or that of its tests: PciDevices does not name PciDevice.
    internal static IEnumerable<string> Unnamed(IEnumerable<SourceFile> sources, IEnumerable<SourceFile> tests)
    {
        ILookup<string, string> named = tests
            .SelectMany(test => test.Syntax.DescendantTokens().Where(token => token.IsKind(SyntaxKind.IdentifierToken))
                .Select(token => (test.Project, token.ValueText)).Distinct())
            .ToLookup(pair => pair.Project, pair => pair.ValueText, StringComparer.Ordinal);
        return sources.SelectMany(file => Behaving(file).Select(type => (file, type)))
            .Where(pair => !Kinds.Prepend("").Any(kind => named[$"{pair.file.Project}.Tests"].Contains(pair.type + kind)))
            .Select(pair => $"{pair.file}: {pair.type}");
    }

    private static bool HasTests(SourceFile file) => file.Syntax.DescendantNodes().OfType<AttributeSyntax>()
        .Any(attribute => attribute.Name.ToString().Split('.')[^1] is "Test" or "TestCase" or "TestCaseSource" or "Property");

    private static IEnumerable<SourceFile> Mirrored(IEnumerable<SourceFile> tests) =>
        tests.Where(file => file.Project != "Mm.Repo.Tests" && file.Project.EndsWith(".Tests", StringComparison.Ordinal) && file.Room != Demands);

    private static string? Kind(SourceFile file) =>
        Kinds.FirstOrDefault(kind => Path.GetFileName(file.Path).Split('.')[0].EndsWith(kind, StringComparison.Ordinal));

    private static bool HasSubject(SourceFile test, IEnumerable<SourceFile> sources)
    {
        string project = test.Project[..^".Tests".Length];
        string subject = Path.GetFileName(test.Path).Split('.')[0];
        subject = subject[..^Kind(test)!.Length];
        string folder = project == "Mm.Testing" ? "tests" : "src";
        string room = $"{folder}/{project}/{test.Room}".TrimEnd('/');
        return sources
            .Where(source => source.Path.StartsWith($"{room}/", StringComparison.Ordinal) && source.Room == test.Room)
            .Any(source => subject.StartsWith(Path.GetFileName(source.Path).Split('.')[0], StringComparison.Ordinal))
            || (subject.Length > 0 && test.Room.Split('/')[^1].StartsWith(subject, StringComparison.Ordinal));
    }

    // Interfaces, enums and plain records of data have no behaviour of their own.
    private static IEnumerable<string> Behaving(SourceFile file) => file.Syntax.DescendantNodes().OfType<TypeDeclarationSyntax>()
        .Where(type => type is not InterfaceDeclarationSyntax && type.Modifiers.Any(SyntaxKind.PublicKeyword))
        .Where(type => type.Parent is BaseNamespaceDeclarationSyntax)
        .Where(type => type.Members.OfType<MethodDeclarationSyntax>().Any(method =>
            method.Modifiers.Any(SyntaxKind.PublicKeyword) && !method.Modifiers.Any(SyntaxKind.OverrideKeyword)))
        .Select(type => type.Identifier.Text).Distinct();
}
