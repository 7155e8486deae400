using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace Mm.Repo.Tests.Docs;

/// <summary>docs/linux-map.md names what exists: each Mm symbol is in the sources, each test is in the tests.</summary>
public sealed partial class LinuxMapTests
{
    private const string MapPath = "docs/linux-map.md";

    private static readonly string[] Projects = ["Mm.Core", "Mm.P2pDma", "Mm.Conformance"];

    private sealed record Row(int Line, string Linux, string Mm, string State, string Test);

    [Test]
    public void Map_Rows_AreThere()
    {
        Assert.That(Rows(), Has.Count.GreaterThan(20));
    }

    [Test]
    public void Row_State_IsOneOfThreeAndSimplifiedSaysHow()
    {
        Findings.AssertNone(
            Rows().Where(row => !State().IsMatch(row.State)).Select(row => $"{MapPath}:{row.Line}: {row.State}"),
            "a state is: modelled, simplified (how), or out of scope");
    }

    [Test]
    public void Row_MmSymbols_Exist()
    {
        HashSet<string> known = Known();
        IEnumerable<string> found = Rows().SelectMany(row => Code().Matches(row.Mm)
            .Select(match => match.Groups["name"].Value)
            .Where(symbol => !known.Contains(symbol))
            .Select(symbol => $"{MapPath}:{row.Line}: {symbol}"));

        Findings.AssertNone(found, "an Mm symbol is a type, or Type.Member");
    }

    [Test]
    public void Row_OutOfScope_NamesNoTestAndTheOthersDo()
    {
        IEnumerable<string> found = Rows()
            .Where(row => row.State.StartsWith("out of scope", StringComparison.Ordinal) == Code().IsMatch(row.Test))
            .Select(row => $"{MapPath}:{row.Line}: {row.Linux}: '{row.Test}'");

        Findings.AssertNone(found, "what is modelled or simplified has a test");
    }

    [Test]
    public void Row_Tests_Exist()
    {
        HashSet<string> tests = [.. SourceFile.Tests.Select(file => Path.GetFileNameWithoutExtension(file.Path))];
        IEnumerable<string> found = Rows().SelectMany(row => Code().Matches(row.Test)
            .Select(match => match.Groups["name"].Value)
            .Where(test => !tests.Contains(test))
            .Select(test => $"{MapPath}:{row.Line}: {test}"));

        Findings.AssertNone(found, "a test is the name of a test file");
    }

    private static List<Row> Rows()
    {
        var rows = new List<Row>();
        string[] lines = Repository.Read(MapPath).Split('\n');
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

    [GeneratedRegex("`(?<name>[^`]+)`", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Code();
}
