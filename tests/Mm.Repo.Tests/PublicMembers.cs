using Microsoft.CodeAnalysis;

namespace Mm.Repo.Tests;

/// <summary>What users of a library can name, from its symbols.</summary>
internal static class PublicMembers
{
    /// <summary>Public types of the project's own assembly, nested ones included.</summary>
    public static IEnumerable<INamedTypeSymbol> Types(SourceModel model) =>
        TypesIn(model.Compilation.Assembly.GlobalNamespace).Where(type => IsVisible(type) && !type.IsImplicitlyDeclared);

    /// <summary>Public and protected members that somebody wrote; not accessors, which their property speaks for.</summary>
    public static IEnumerable<ISymbol> Of(INamedTypeSymbol type) => type.GetMembers()
        .Where(member => IsVisible(member) && !member.IsImplicitlyDeclared && member is not INamedTypeSymbol)
        .Where(member => member is not IMethodSymbol { AssociatedSymbol: not null })
        .Where(member => member is not IMethodSymbol { MethodKind: MethodKind.ExplicitInterfaceImplementation });

    public static string Place(ISymbol symbol)
    {
        FileLinePositionSpan span = symbol.Locations[0].GetLineSpan();
        string path = Path.GetRelativePath(Repository.Root, span.Path).Replace('\\', '/');
        return $"{path}:{span.StartLinePosition.Line + 1}: {symbol.ToDisplayString()}";
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceSymbol space) =>
        space.GetNamespaceMembers().SelectMany(TypesIn).Concat(space.GetTypeMembers().SelectMany(WithNested));

    private static IEnumerable<INamedTypeSymbol> WithNested(INamedTypeSymbol type) =>
        type.GetTypeMembers().SelectMany(WithNested).Prepend(type);

    private static bool IsVisible(ISymbol symbol)
    {
        for (ISymbol? at = symbol; at is not null and not INamespaceSymbol; at = at.ContainingSymbol)
        {
            if (at.DeclaredAccessibility is not (Accessibility.Public or Accessibility.Protected or Accessibility.ProtectedOrInternal))
            {
                return false;
            }
        }

        return true;
    }
}
