using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Layout;

public sealed class SizeTests
{
    private const int MaxFileLines = 500;
    private const int MaxMethodLines = 70;
    private const int MaxColumns = 120;
    private const int HardColumns = 140;
    private const int TypicalFileLines = 300;

    [Test]
    public void File_Each_IsAtMostFiveHundredLines()
    {
        Findings.AssertNone(
            SourceFile.All.Select(file => (file, lines: file.Text.Count(letter => letter == '\n')))
                .Where(pair => pair.lines > MaxFileLines).Select(pair => $"{pair.file}: {pair.lines} lines"),
            $"a file has at most {MaxFileLines} lines");
    }

    [Test]
    public void Files_NineOfTen_AreAtMostThreeHundredLines()
    {
        int[] lines = [.. SourceFile.Sources.Select(file => file.Text.Count(letter => letter == '\n')).Order()];

        Assert.That(lines[lines.Length * 9 / 10], Is.AtMost(TypicalFileLines));
    }

    [Test]
    public void Method_Each_IsAtMostSeventyLines()
    {
        Findings.AssertNone(
            SourceFile.All.SelectMany(file => file.Syntax.DescendantNodes().OfType<BaseMethodDeclarationSyntax>()
                .Select(method => (file, method, lines: Lines(file, method)))
                .Where(found => found.lines > MaxMethodLines)
                .Select(found => $"{file.Place(found.method)}: {found.lines} lines")),
            $"a method has at most {MaxMethodLines} lines");
    }

    // 120 is what a writer aims at; a table or an argument list that reads better in one piece may end a little later.
    [Test]
    public void Line_OfCode_AimsAtOneHundredAndTwentyColumns()
    {
        (string Place, int Columns)[] lines = [.. SourceFile.Sources.SelectMany(Columns)];
        string[] wide = [.. lines.Where(line => line.Columns > MaxColumns).Select(line => $"{line.Place}: {line.Columns} columns")];

        Assert.That(wide.Length * 50, Is.AtMost(lines.Length), string.Join('\n', wide));
        Findings.AssertNone(
            lines.Where(line => line.Columns > HardColumns).Select(line => $"{line.Place}: {line.Columns} columns"),
            $"no line of code has more than {HardColumns} columns");
    }

    private static IEnumerable<(string Place, int Columns)> Columns(SourceFile file) => file.Text.Split('\n')
        .Select((line, index) => (line, Place: $"{file}:{index + 1}"))
        .Where(at => !at.line.TrimStart().StartsWith("///", StringComparison.Ordinal))
        .Select(at => (at.Place, at.line.Length));

    private static int Lines(SourceFile file, BaseMethodDeclarationSyntax method)
    {
        Microsoft.CodeAnalysis.FileLinePositionSpan span = file.Tree.GetLineSpan(method.Span);
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }
}
