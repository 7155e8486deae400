using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;
using Mm.Core;

namespace Mm.Analyzers.Tests;

public sealed class DroppedErrnoAnalyzerTests
{
    [TestCase("TryMap();", "TryMap")]
    [TestCase("this.TryMap();", "TryMap")]
    [TestCase("peer?.TryMap();", "TryMap")]
    [TestCase("await TryMapAsync();", "TryMapAsync")]
    [TestCase("await TryMapFast();", "TryMapFast")]
    [TestCase("TryMapAsync();", "TryMapAsync")]
    [TestCase("TryMapFast();", "TryMapFast")]
    [TestCase("for (int i = 0; i < 2; TryMap()) { i++; }", "TryMap")]
    [TestCase("Action later = () => TryMap();", "TryMap")]
    [TestCase("if (peer is null) TryMap();", "TryMap")]
    public async Task Statement_DropsTheErrno_IsAnError(string statement, string name)
    {
        ImmutableArray<Diagnostic> found = await AnalyzeAsync(statement);

        Assert.That(found, Has.Length.EqualTo(1));
        Assert.That(found[0].Id, Is.EqualTo("MM0001"));
        Assert.That(found[0].Severity, Is.EqualTo(DiagnosticSeverity.Error));
        Assert.That(found[0].GetMessage(), Does.StartWith($"The Errno that '{name}' answers with is dropped"));
    }

    [TestCase("_ = TryMap();")]
    [TestCase("_ = await TryMapAsync();")]
    [TestCase("Errno answer = TryMap(); Console.WriteLine(answer);")]
    [TestCase("Errno answer; answer = TryMap(); Console.WriteLine(answer);")]
    [TestCase("TryMap().ThrowIfError();")]
    [TestCase("if (!TryMap().IsOk) { return; }")]
    [TestCase("Func<Errno> later = () => TryMap(); Console.WriteLine(later);")]
    [TestCase("Errno.TryParse(\"EBUSY\", out Errno answer);")]
    [TestCase("Console.WriteLine(TryMap());")]
    public async Task Statement_KeepsTheErrnoOrDropsItOnPurpose_IsFine(string statement)
    {
        Assert.That(await AnalyzeAsync(statement), Is.Empty);
    }

    [Test]
    public async Task Analyze_CodeThatDoesNotKnowMm_FindsNothing()
    {
        CSharpCompilation compilation = Compile("struct Errno { } class C { Errno F() => default; void G() { F(); } }", []);

        Assert.That(await FindAsync(compilation), Is.Empty);
    }

    private static async Task<ImmutableArray<Diagnostic>> AnalyzeAsync(string statement)
    {
        string code = $$"""
            using System;
            using System.Threading.Tasks;
            using Mm.Core;
            class C
            {
                C? peer;
                Errno TryMap() => Errno.EBUSY;
                Task<Errno> TryMapAsync() => Task.FromResult(Errno.EBUSY);
                ValueTask<Errno> TryMapFast() => new(Errno.EBUSY);
                async Task Run()
                {
                    peer = this;
                    await Task.Yield();
                    {{statement}}
                }
            }
            """;
        CSharpCompilation compilation = Compile(code, [MetadataReference.CreateFromFile(typeof(Errno).Assembly.Location)]);
        Diagnostic[] errors = [.. compilation.GetDiagnostics().Where(found => found.Severity == DiagnosticSeverity.Error)];
        Assert.That(errors, Is.Empty, "the snippet must compile");
        return await FindAsync(compilation);
    }

    private static Task<ImmutableArray<Diagnostic>> FindAsync(CSharpCompilation compilation) =>
        compilation.WithAnalyzers([new DroppedErrnoAnalyzer()]).GetAnalyzerDiagnosticsAsync();

    private static CSharpCompilation Compile(string code, IEnumerable<MetadataReference> more)
    {
        string framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        IEnumerable<MetadataReference> references =
            new[] { "System.Private.CoreLib.dll", "System.Runtime.dll", "System.Console.dll" }
                .Select(name => MetadataReference.CreateFromFile(Path.Combine(framework, name)));
        return CSharpCompilation.Create(
            "snippet",
            [CSharpSyntaxTree.ParseText(code)],
            references.Concat(more),
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));
    }
}
