using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Mm.Repo.Tests;

/// <summary>A library project as the compiler understands it: its files with symbols and documentation.</summary>
internal sealed class SourceModel
{
    // What ImplicitUsings adds for a console or library project.
    private const string ImplicitUsings = """
        global using System;
        global using System.Collections.Generic;
        global using System.IO;
        global using System.Linq;
        global using System.Net.Http;
        global using System.Threading;
        global using System.Threading.Tasks;
        """;

    private static readonly Dictionary<string, SourceModel> Made = new(StringComparer.Ordinal);
    private static readonly Lock Making = new();

    private SourceModel(string project)
        : this(project, SourceFile.Sources.Where(file => file.Project == project))
    {
    }

    /// <summary>The model of some files as if they were a project.</summary>
    public SourceModel(string project, IEnumerable<SourceFile> files)
    {
        Files = [.. files];
        Compilation = CSharpCompilation.Create(
            project == "Mm.Cli" ? "mm" : project,
            Files.Select(file => file.Tree).Append(CSharpSyntaxTree.ParseText(ImplicitUsings, SourceFile.Options)),
            References(project),
            new CSharpCompilationOptions(
                OutputKind.DynamicallyLinkedLibrary, allowUnsafe: true, nullableContextOptions: NullableContextOptions.Enable));
    }

    public IReadOnlyList<SourceFile> Files { get; }

    public CSharpCompilation Compilation { get; }

    /// <summary>The model of a project; made once, since compiling takes seconds.</summary>
    public static SourceModel Of(string project)
    {
        lock (Making)
        {
            if (!Made.TryGetValue(project, out SourceModel? model))
            {
                model = new SourceModel(project);
                Made.Add(project, model);
            }

            return model;
        }
    }

    public SemanticModel Semantics(SourceFile file) => Compilation.GetSemanticModel(file.Tree);

    /// <summary>Everything that this test process may load: the framework and what the tool references.</summary>
    public static IEnumerable<MetadataReference> References(string except = "") =>
        ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => Path.GetFileNameWithoutExtension(path) != (except == "Mm.Cli" ? "mm" : except))
            .Select(path => MetadataReference.CreateFromFile(path));
}
