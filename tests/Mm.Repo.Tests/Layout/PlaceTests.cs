using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Layout;

/// <summary>A type is found by its name: folder is namespace, file is type, one public type in each.</summary>
public sealed class PlaceTests
{
    [Test]
    public void Namespace_OfEachSource_IsItsFolder()
    {
        Findings.AssertNone(WrongNamespaces(SourceFile.Sources.Concat(SourceFile.Tests)), "namespace = folder");
    }

    [Test]
    public void PublicType_OfEachSource_NamesItsFile()
    {
        Findings.AssertNone(PublicTypesElsewhere(SourceFile.Sources), "one public type in a file, and the file bears its name");
    }

    [Test]
    public void Type_OfTheNameOfItsNamespace_DoesNotExist()
    {
        Findings.AssertNone(TypesNamedAsTheirNamespace(SourceFile.Sources), "a type that bears its namespace's last word cannot be named from outside");
    }

    [TestCase("Utils")]
    [TestCase("Helpers")]
    [TestCase("Common")]
    [TestCase("Misc")]
    public void Folder_NamedAfterNothing_DoesNotExist(string name)
    {
        Findings.AssertNone(InFolder(SourceFile.All, name), "a room is named by its noun");
    }

    internal static IEnumerable<string> WrongNamespaces(IEnumerable<SourceFile> files) => files
        .SelectMany(file => file.Syntax.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>()
            .Where(space => space.Name.ToString() != Expected(file))
            .Select(space => $"{file}: namespace {space.Name}, must be {Expected(file)}"));

    internal static IEnumerable<string> PublicTypesElsewhere(IEnumerable<SourceFile> files) => files
        .SelectMany(file => TopTypes(file)
            .Where(type => type.Modifiers.Any(SyntaxKind.PublicKeyword) && Name(type) != Path.GetFileName(file.Path).Split('.')[0])
            .Select(type => $"{file.Place(type)}: public {Name(type)}"));

    internal static IEnumerable<string> TypesNamedAsTheirNamespace(IEnumerable<SourceFile> files) => files
        .SelectMany(file => TopTypes(file)
            .Where(type => Name(type) == Expected(file).Split('.')[^1])
            .Select(type => $"{file.Place(type)}: {Name(type)}"));

    internal static IEnumerable<string> InFolder(IEnumerable<SourceFile> files, string name) =>
        files.Where(file => file.Path.Split('/').SkipLast(1).Contains(name)).Select(file => file.Path);

    private static string Expected(SourceFile file) =>
        file.Room.Length == 0 ? file.Project : $"{file.Project}.{file.Room.Replace('/', '.')}";

    // Delegates are types too.
    private static IEnumerable<MemberDeclarationSyntax> TopTypes(SourceFile file) =>
        file.Syntax.DescendantNodes().OfType<MemberDeclarationSyntax>()
            .Where(type => type is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax)
            .Where(type => type.Parent is BaseNamespaceDeclarationSyntax or CompilationUnitSyntax);

    private static string Name(MemberDeclarationSyntax type) =>
        type is DelegateDeclarationSyntax found ? found.Identifier.Text : ((BaseTypeDeclarationSyntax)type).Identifier.Text;
}
