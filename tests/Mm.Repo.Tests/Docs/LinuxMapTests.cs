using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Docs;

/// <summary>docs/linux-map.md names what exists: each Mm symbol is in the sources, each test is in the tests.</summary>
public sealed partial class LinuxMapTests
{
    private const string MapPath = "docs/linux-map.md";

    private static readonly string[] Projects = ["Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf", "Mm.Devices", "Mm.Conformance"];

    internal sealed record Row(int Line, string Linux, string Mm, string State, string Test);

    [Test]
    public void Map_Rows_AreThere()
    {
        Assert.That(Rows(), Has.Count.GreaterThan(20));
    }

    [Test]
    public void Row_State_IsOneOfThreeAndSimplifiedSaysHow()
    {
        Findings.AssertNone(
            WrongStates(Rows()),
            "a state is: modelled, simplified (how), or out of scope");
    }

    [Test]
    public void Row_MmSymbols_Exist()
    {
        Findings.AssertNone(UnknownNames(Rows(), row => row.Mm, Known()), "an Mm symbol is a type, or Type.Member");
    }

    [Test]
    public void Row_OutOfScope_NamesNoTestAndTheOthersDo()
    {
        Findings.AssertNone(Untested(Rows()), "what is modelled or simplified has a test");
    }

    [Test]
    public void Row_Tests_Exist()
    {
        HashSet<string> tests = [.. SourceFile.Tests.Where(file => file.Project.EndsWith(".Tests", StringComparison.Ordinal))
            .Select(file => Path.GetFileNameWithoutExtension(file.Path))];

        Findings.AssertNone(UnknownNames(Rows(), row => row.Test, tests), "a test is the name of a test file");
    }

    [Test]
    public void Selftest_ThatTheMapNames_Exists()
    {
        HashSet<string> tests = [.. SourceFile.Tests.SelectMany(static file => file.Syntax.DescendantNodes().OfType<MethodDeclarationSyntax>()
            .Select(method => $"{((TypeDeclarationSyntax)method.Parent!).Identifier}.{method.Identifier}"))];
        string[] named = [.. Selftest().Matches(Repository.Read(MapPath)).Select(static match => match.Groups["name"].Value)];

        Assert.That(named, Has.Length.GreaterThan(20));
        Assert.That(named.Except(tests), Is.Empty, "a test of the kernel that has one of Mm names its method");
    }

    [TestCaseSource(nameof(Projects))]
    public void Type_ThatNamesALinuxSymbol_HasARow(string project)
    {
        Findings.AssertNone(Unmapped(SourceModel.Of(project), Rows()), $"what models a Linux symbol has a row in {MapPath}");
    }

    internal static IEnumerable<string> WrongStates(IEnumerable<Row> rows) =>
        rows.Where(row => !State().IsMatch(row.State)).Select(row => $"{MapPath}:{row.Line}: {row.State}");

    internal static IEnumerable<string> Untested(IEnumerable<Row> rows) => rows
        .Where(row => row.State.StartsWith("out of scope", StringComparison.Ordinal) == Code().IsMatch(row.Test))
        .Select(row => $"{MapPath}:{row.Line}: {row.Linux}: '{row.Test}'");

    internal static IEnumerable<string> UnknownNames(IEnumerable<Row> rows, Func<Row, string> cell, HashSet<string> known) =>
        rows.SelectMany(row => Names(cell(row)).Where(name => !known.Contains(name)).Select(name => $"{MapPath}:{row.Line}: {name}"));

    // "Linux: none" and "no single symbol" say that there is nothing to map.
    internal static IEnumerable<string> Unmapped(SourceModel model, IEnumerable<Row> rows)
    {
        HashSet<string> mapped = [.. rows.SelectMany(row => Names(row.Mm)).Select(name => name.Split('.')[0])];
        return PublicMembers.Types(model).Where(type => type.ContainingType is null && !mapped.Contains(type.Name))
            .Where(type => LinuxSymbol().IsMatch(type.GetDocumentationCommentXml() ?? ""))
            .Select(PublicMembers.Place);
    }

    internal static IReadOnlyList<Row> Rows(string map)
    {
        var rows = new List<Row>();
        string[] lines = map.Split('\n');
        for (int index = 0; index < lines.Length; index++)
        {
            string[] cells = [.. lines[index].Split('|', StringSplitOptions.TrimEntries)];
            bool isRow = cells.Length == 6 && cells[1] != "Linux" && cells[1].Trim('-', ':').Length > 0;
            if (isRow)
            {
                rows.Add(new Row(index + 1, cells[1], cells[2], cells[3], cells[4]));
            }
        }

        return rows;
    }

    private static IReadOnlyList<Row> Rows() => Rows(Repository.Read(MapPath));

    private static IEnumerable<string> Names(string cell) => Code().Matches(cell).Select(match => match.Groups["name"].Value);

    // Internal types count: the map is about what is modelled, not about what is public.
    private static HashSet<string> Known()
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        foreach (INamedTypeSymbol type in Projects.SelectMany(project => AllTypes(SourceModel.Of(project).Compilation.Assembly.GlobalNamespace)))
        {
            known.Add(type.Name);
            known.UnionWith(type.GetMembers().Select(member => $"{type.Name}.{member.Name}"));
        }

        return known;
    }

    private static IEnumerable<INamedTypeSymbol> AllTypes(INamespaceSymbol space) =>
        space.GetNamespaceMembers().SelectMany(AllTypes).Concat(space.GetTypeMembers());

    [GeneratedRegex(@"^(modelled( \(.+\))?|simplified \(.{8,}\)|out of scope( \(.+\))?)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex State();

    [GeneratedRegex(@"<b>Linux:</b>\s+(?!none\b|no\b|nothing\b)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LinuxSymbol();

    [GeneratedRegex(@"`(?<name>\w+Selftests\.\w+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Selftest();

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Code();
}
