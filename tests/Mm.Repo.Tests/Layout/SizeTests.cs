using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Layout;

public sealed class SizeTests
{
    private const int MaxFileLines = 500;
    private const int MaxMethodLines = 70;
    private const int MaxColumns = 120;
    internal const int HardColumns = 140;
    private const int TypicalFileLines = 300;

    [Test]
    public void File_Each_IsAtMostFiveHundredLines()
    {
        Findings.AssertNone(
            LongFiles(SourceFile.All),
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
            LongMethods(SourceFile.All),
            $"a method has at most {MaxMethodLines} lines");
    }

    // 120 is what a writer aims at; a table or an argument list that reads better in one piece may end a little later.
    [Test]
    public void Line_OfCode_AimsAtOneHundredAndTwentyColumns()
    {
        string[] wide = [.. WideLines(SourceFile.Sources, MaxColumns)];

        Assert.That(wide.Length * 50, Is.AtMost(SourceFile.Sources.SelectMany(Columns).Count()), string.Join('\n', wide));
        Findings.AssertNone(
            WideLines(SourceFile.Sources, HardColumns), $"no line of code has more than {HardColumns} columns");
    }

    internal static IEnumerable<string> LongFiles(IEnumerable<SourceFile> files) => files
        .Select(file => (file, lines: file.Text.Count(letter => letter == '\n')))
        .Where(pair => pair.lines > MaxFileLines).Select(pair => $"{pair.file}: {pair.lines} lines");

    // Accessors and local functions are methods too.
    internal static IEnumerable<string> LongMethods(IEnumerable<SourceFile> files) => files
        .SelectMany(file => file.Syntax.DescendantNodes()
            .Where(node => node is BaseMethodDeclarationSyntax or AccessorDeclarationSyntax or LocalFunctionStatementSyntax)
            .Select(method => (method, lines: Lines(file, method)))
            .Where(found => found.lines > MaxMethodLines)
            .Select(found => $"{file.Place(found.method)}: {found.lines} lines"));

    internal static IEnumerable<string> WideLines(IEnumerable<SourceFile> files, int most) => files.SelectMany(Columns)
        .Where(line => line.Columns > most).Select(line => $"{line.Place}: {line.Columns} columns");

    private static IEnumerable<(string Place, int Columns)> Columns(SourceFile file) => file.Text.Split('\n')
        .Select((line, index) => (line, Place: $"{file}:{index + 1}"))
        .Where(at => !at.line.TrimStart().StartsWith("///", StringComparison.Ordinal))
        .Select(at => (at.Place, at.line.Length));

    private static int Lines(SourceFile file, Microsoft.CodeAnalysis.SyntaxNode method)
    {
        Microsoft.CodeAnalysis.FileLinePositionSpan span = file.Tree.GetLineSpan(method.Span);
        return span.EndLinePosition.Line - span.StartLinePosition.Line + 1;
    }
}
