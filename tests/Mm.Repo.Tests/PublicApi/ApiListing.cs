using System.Text;
using Microsoft.CodeAnalysis;

namespace Mm.Repo.Tests.PublicApi;

/// <summary>The public surface of a library as text, one member on a line, sorted: what a review of a change looks at.</summary>
internal static class ApiListing
{
    private static readonly SymbolDisplayFormat Format = new(
        globalNamespaceStyle: SymbolDisplayGlobalNamespaceStyle.Omitted,
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameOnly,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters | SymbolDisplayGenericsOptions.IncludeTypeConstraints,
        memberOptions: SymbolDisplayMemberOptions.IncludeParameters | SymbolDisplayMemberOptions.IncludeType
            | SymbolDisplayMemberOptions.IncludeModifiers | SymbolDisplayMemberOptions.IncludeRef
            | SymbolDisplayMemberOptions.IncludeConstantValue,
        parameterOptions: SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName
            | SymbolDisplayParameterOptions.IncludeParamsRefOut | SymbolDisplayParameterOptions.IncludeDefaultValue,
        propertyStyle: SymbolDisplayPropertyStyle.ShowReadWriteDescriptor,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes
            | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    public static string Of(SourceModel model)
    {
        var text = new StringBuilder();
        foreach (INamedTypeSymbol type in PublicMembers.Types(model).OrderBy(type => type.ToDisplayString(), StringComparer.Ordinal))
        {
            text.Append(Head(type)).Append('\n');
            foreach (string member in Members(type).Order(StringComparer.Ordinal))
            {
                text.Append("  ").Append(member).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Head(INamedTypeSymbol type)
    {
        string kind = type.TypeKind.ToString().ToLowerInvariant();
        string record = type.IsRecord ? "record " : "";
        string how = type.IsStatic ? "static " : type.IsAbstract && type.TypeKind == TypeKind.Class ? "abstract "
            : type.IsReadOnly ? "readonly " : type.IsSealed && type.TypeKind == TypeKind.Class ? "sealed " : "";
        string byRef = type.IsRefLikeType ? "ref " : "";
        return $"{how}{byRef}{record}{kind} {type.ToDisplayString()}{Bases(type)}";
    }

    private static string Bases(INamedTypeSymbol type)
    {
        IEnumerable<string> bases = type.Interfaces.Select(found => found.ToDisplayString(Format)).Order(StringComparer.Ordinal);
        if (type.BaseType is { SpecialType: SpecialType.None } parent && type.TypeKind == TypeKind.Class)
        {
            bases = bases.Prepend(parent.ToDisplayString(Format));
        }

        string list = string.Join(", ", bases);
        return list.Length == 0 ? "" : $" : {list}";
    }

    private static IEnumerable<string> Members(INamedTypeSymbol type) => type.TypeKind == TypeKind.Enum
        ? type.GetMembers().OfType<IFieldSymbol>().Select(field => $"{field.Name} = {field.ConstantValue}")
        : PublicMembers.Of(type).Where(member => member is not IMethodSymbol { IsOverride: true }).Select(member => member.ToDisplayString(Format));
}
