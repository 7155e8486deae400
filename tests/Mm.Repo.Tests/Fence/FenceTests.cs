using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Fence;

/// <summary>Memory corruption can come from the files behind the fence alone, and each of them argues why it does not.</summary>
public sealed partial class FenceTests
{
    // Not among them: CollectionsMarshal, whose spans may go stale but always lie in a live array.
    private static readonly string[] Substitutes =
    [
        "Unsafe", "MemoryMarshal", "NativeMemory", "GCHandle", "Marshal",
        "SafeHandle", "SafeBuffer", "DllImport", "LibraryImport", "DllImportAttribute", "LibraryImportAttribute", "NativeLibrary",
        "UnsafeAccessor", "UnsafeAccessorAttribute", "SkipLocalsInit",
    ];

    [Test]
    public void Unsafe_InSrc_StandsBehindTheFence()
    {
        Findings.AssertNone(UnsafeOutside(SourceFile.Sources), "unsafe code lives in src/Mm.Core/Native/*.Unsafe.cs");
    }

    [Test]
    public void Substitutes_InSrc_StandBehindTheFence()
    {
        Findings.AssertNone(SubstitutesOutside(SourceFile.Sources), "what replaces unsafe code is behind the fence as well");
    }

    [Test]
    public void BannedSymbols_Anywhere_AreNotSwitchedOffOutsideTheFence()
    {
        Findings.AssertNone(BannedSwitchesOutside(SourceFile.All), "RS0030 is switched off behind the fence only");
    }

    [Test]
    public void UnsafeFile_Each_ArguesItsSafety()
    {
        Findings.AssertNone(FilesWithoutSafety(SourceFile.Sources), "a file behind the fence says why it is safe: // SAFETY: ...");
    }

    [Test]
    public void UnsafeStatement_Each_FollowsASafetyComment()
    {
        Findings.AssertNone(UnarguedStatements(SourceFile.Sources), "each unsafe and fixed statement stands in a member with a // SAFETY: comment");
    }

    [Test]
    public void AllowUnsafeBlocks_InProjects_IsOnInCoreAlone()
    {
        string[] projects = [".csproj", ".props", ".targets"];
        IEnumerable<string> found = projects.SelectMany(suffix => Repository.Files(".", suffix))
            .Where(path => SwitchesUnsafeOn(path, Repository.Read(path)));

        Findings.AssertNone(found, "unsafe code is switched on in Mm.Core alone");
    }

    internal static IEnumerable<string> UnsafeOutside(IEnumerable<SourceFile> files) =>
        files.Where(file => !IsBehind(file)).SelectMany(file => file.Syntax.DescendantTokens()
            .Where(token => token.IsKind(SyntaxKind.UnsafeKeyword) || token.IsKind(SyntaxKind.FixedKeyword))
            .Select(token => $"{file.Place(token)}: {token.Text}"));

    internal static IEnumerable<string> SubstitutesOutside(IEnumerable<SourceFile> files) =>
        files.Where(file => !IsBehind(file)).SelectMany(file => file.Syntax.DescendantNodes()
            .OfType<SimpleNameSyntax>()
            .Where(name => Substitutes.Contains(name.Identifier.Text))
            .Select(name => $"{file.Place(name)}: {name}"));

    internal static IEnumerable<string> BannedSwitchesOutside(IEnumerable<SourceFile> files) =>
        files.Where(file => !IsBehind(file)).Where(file => BannedSwitch().IsMatch(file.Text)).Select(file => file.Path);

    internal static IEnumerable<string> FilesWithoutSafety(IEnumerable<SourceFile> files) => files.Where(IsBehind)
        .Where(file => !file.Text.Contains("// SAFETY", StringComparison.Ordinal)).Select(file => file.Path);

    internal static IEnumerable<string> UnarguedStatements(IEnumerable<SourceFile> files) =>
        files.Where(IsBehind).SelectMany(file => file.Syntax.DescendantNodes()
            .Where(node => node is UnsafeStatementSyntax or FixedStatementSyntax)
            .Where(node => node.Parent is not FixedStatementSyntax && !IsArgued(node))
            .Select(node => $"{file.Place(node)}: {node.ToString().Split('\n')[0]}"));

    internal static bool SwitchesUnsafeOn(string path, string text) =>
        path != "src/Mm.Core/Mm.Core.csproj" && text.Contains("AllowUnsafeBlocks>true", StringComparison.OrdinalIgnoreCase);

    private static bool IsBehind(SourceFile file) =>
        file.Path.StartsWith("src/Mm.Core/Native/", StringComparison.Ordinal)
        && file.Path.EndsWith(".Unsafe.cs", StringComparison.Ordinal);

    private static bool IsArgued(SyntaxNode node) =>
        node.FirstAncestorOrSelf<MemberDeclarationSyntax>()!.ToFullString().Contains("// SAFETY", StringComparison.Ordinal);

    [GeneratedRegex(@"(pragma warning disable|dotnet_diagnostic\.).*RS0" + "030", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex BannedSwitch();
}
