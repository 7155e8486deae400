using System.Reflection;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mm.Repo.Tests.Docs;

/// <summary>A C# fence of a document, and the text fence that follows it, if one does: what the sample prints.</summary>
internal sealed record MarkdownSample(string Path, int Line, string Code, string? Output)
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    // Two samples at once would print into each other's console.
    private static readonly Lock Running = new();

    public static IReadOnlyList<MarkdownSample> In(string path)
    {
        var samples = new List<MarkdownSample>();
        string[] lines = Repository.Read(path).Split('\n');
        for (int at = 0; at < lines.Length; at++)
        {
            if (lines[at].TrimEnd() is "```csharp" or "```cs")
            {
                int start = at + 1;
                string code = Fence(lines, start, out at);
                string? output = at + 2 < lines.Length && lines[at + 1].Length == 0 && lines[at + 2].TrimEnd() == "```text"
                    ? Fence(lines, at + 3, out _)
                    : null;
                samples.Add(new MarkdownSample(path, start, code, output));
            }
        }

        return samples;
    }

    /// <summary>Compiles the sample as a program of its own and runs it.</summary>
    /// <returns>What it printed.</returns>
    public string Run()
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            $"sample-{Line}",
            [CSharpSyntaxTree.ParseText(Code), CSharpSyntaxTree.ParseText(ImplicitUsings)],
            SourceModel.References(),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        using var image = new MemoryStream();
        string[] errors = [.. compilation.Emit(image).Diagnostics
            .Where(found => found.Severity == DiagnosticSeverity.Error).Select(found => found.ToString())];
        Assert.That(errors, Is.Empty, $"{this} must compile");
        return Invoke(Assembly.Load(image.ToArray()).EntryPoint!);
    }

    public override string ToString() => $"{Path}:{Line}";

    private static string Invoke(MethodInfo entry)
    {
        lock (Running)
        {
            TextWriter console = Console.Out;
            using var printed = new StringWriter();
            Console.SetOut(printed);
            try
            {
                object? result = entry.Invoke(null, entry.GetParameters().Length == 0 ? null : [Array.Empty<string>()]);
                (result as Task)?.GetAwaiter().GetResult();
            }
            finally
            {
                Console.SetOut(console);
            }

            return printed.ToString().ReplaceLineEndings("\n");
        }
    }

    private static string Fence(string[] lines, int start, out int end)
    {
        var text = new StringBuilder();
        for (end = start; lines[end].TrimEnd() != "```"; end++)
        {
            text.Append(lines[end]).Append('\n');
        }

        return text.ToString();
    }
}
