using System.Reflection;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mm.Repo.Tests.Docs;

/// <summary>Compiles C# text as a program of its own, runs it in this process, and keeps what it prints.</summary>
internal static class SampleProgram
{
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    // `#:project` lines of programs without a project file are for the SDK; the compiler skips them when told so.
    private static readonly CSharpParseOptions Options =
        SourceFile.Options.WithFeatures([new KeyValuePair<string, string>("FileBasedProgram", "true")]);

    // Two programs at once would print into each other's console.
    private static readonly Lock Running = new();

    /// <summary>Compiles and runs a program.</summary>
    /// <returns>What it printed, with its lines ended by LF, and its exit code.</returns>
    public static (string Printed, int ExitCode) Run(string name, string code, params string[] args)
    {
        CSharpCompilation compilation = CSharpCompilation.Create(
            $"program-{Guid.NewGuid():n}",
            [CSharpSyntaxTree.ParseText(code, Options), CSharpSyntaxTree.ParseText(ImplicitUsings, Options)],
            SourceModel.References(),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        using var image = new MemoryStream();
        string[] errors = [.. compilation.Emit(image).Diagnostics
            .Where(found => found.Severity >= DiagnosticSeverity.Warning).Select(found => found.ToString())];
        Assert.That(errors, Is.Empty, $"{name} must compile without a warning");
        return Invoke(Assembly.Load(image.ToArray()).EntryPoint!, args);
    }

    /// <summary>Runs an entry point.</summary>
    public static (string Printed, int ExitCode) Invoke(MethodInfo entry, params string[] args)
    {
        lock (Running)
        {
            TextWriter console = Console.Out;
            using var printed = new StringWriter();
            Console.SetOut(printed);
            try
            {
                object? result = entry.Invoke(null, entry.GetParameters().Length == 0 ? null : [args]);
                (result as Task)?.GetAwaiter().GetResult();
                return (printed.ToString().ReplaceLineEndings("\n"), result as int? ?? 0);
            }
            finally
            {
                Console.SetOut(console);
            }
        }
    }
}
