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
        IEnumerable<string> found = SourceFile.Sources.Concat(SourceFile.Tests)
            .SelectMany(file => file.Syntax.DescendantNodes().OfType<BaseNamespaceDeclarationSyntax>()
                .Where(space => space.Name.ToString() != Expected(file))
                .Select(space => $"{file}: namespace {space.Name}, must be {Expected(file)}"));

        Findings.AssertNone(found, "namespace = folder");
    }

    [Test]
    public void PublicType_OfEachSource_NamesItsFile()
    {
        IEnumerable<string> found = SourceFile.Sources.SelectMany(file => TopTypes(file)
            .Where(type => type.Modifiers.Any(SyntaxKind.PublicKeyword))
            .Where(type => type.Identifier.Text != Path.GetFileName(file.Path).Split('.')[0])
            .Select(type => $"{file.Place(type)}: public {type.Identifier}"));

        Findings.AssertNone(found, "one public type in a file, and the file bears its name");
    }

    [Test]
    public void Type_OfTheNameOfItsNamespace_DoesNotExist()
    {
        IEnumerable<string> found = SourceFile.Sources.SelectMany(file => TopTypes(file)
            .Where(type => type.Identifier.Text == Expected(file).Split('.')[^1])
            .Select(type => $"{file.Place(type)}: {type.Identifier}"));

        Findings.AssertNone(found, "a type that bears its namespace's last word cannot be named from outside");
    }

    [TestCase("Utils")]
    [TestCase("Helpers")]
    [TestCase("Common")]
    [TestCase("Misc")]
    public void Folder_NamedAfterNothing_DoesNotExist(string name)
    {
        IEnumerable<string> found = SourceFile.All.Where(file => file.Path.Split('/').Contains(name)).Select(file => file.Path);

        Findings.AssertNone(found, "a room is named by its noun");
    }

    private static string Expected(SourceFile file) =>
        file.Room.Length == 0 ? file.Project : $"{file.Project}.{file.Room.Replace('/', '.')}";

    private static IEnumerable<BaseTypeDeclarationSyntax> TopTypes(SourceFile file) =>
        file.Syntax.DescendantNodes().OfType<BaseTypeDeclarationSyntax>()
            .Where(type => type.Parent is BaseNamespaceDeclarationSyntax or CompilationUnitSyntax);
}
