using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mm.Repo.Tests;

/// <summary>A C# file of the repository, parsed.</summary>
internal sealed class SourceFile
{
    private SourceFile(string path)
        : this(path, Repository.Read(path))
    {
    }

    /// <summary>A file that need not exist: what a rule is shown to see whether it bites.</summary>
    public SourceFile(string path, string text)
    {
        Path = path;
        Text = text;
        Tree = CSharpSyntaxTree.ParseText(Text, Options, Repository.Absolute(path));
    }

    // First: the initializers below parse with it.
    public static CSharpParseOptions Options { get; } = new(LanguageVersion.Latest, DocumentationMode.Parse);

    public static IReadOnlyList<SourceFile> Sources { get; } = [.. Repository.Files("src", ".cs").Select(path => new SourceFile(path))];

    public static IReadOnlyList<SourceFile> Tests { get; } = [.. Repository.Files("tests", ".cs").Select(path => new SourceFile(path))];

    public static IEnumerable<SourceFile> All => Sources.Concat(Tests)
        .Concat(Repository.Files("bench", ".cs").Select(path => new SourceFile(path)));

    /// <summary>The path from the root, with '/'.</summary>
    public string Path { get; }

    public string Text { get; }

    public SyntaxTree Tree { get; }

    public SyntaxNode Syntax => Tree.GetRoot();

    /// <summary>The project's folder name, as Mm.Core.</summary>
    public string Project => Path.Split('/')[1];

    /// <summary>The folders between the project and the file, as Native; empty in the project's root.</summary>
    public string Room => string.Join('/', Path.Split('/')[2..^1]);

    public string Place(SyntaxNodeOrToken at) =>
        $"{Path}:{Tree.GetLineSpan(at.Span).StartLinePosition.Line + 1}";

    public override string ToString() => Path;
}
