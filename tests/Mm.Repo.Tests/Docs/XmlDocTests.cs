using System.Xml.Linq;
using Microsoft.CodeAnalysis;

namespace Mm.Repo.Tests.Docs;

/// <summary>What users can name is documented: completely for members, and with the house's headings for types.</summary>
public sealed class XmlDocTests
{
    private static readonly string[] Libraries = ["Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf", "Mm.Devices", "Mm.Conformance"];

    [TestCaseSource(nameof(Libraries))]
    public void Type_EachPublic_SaysWhatItIs(string project)
    {
        Findings.AssertNone(TypesWithoutSummary(SourceModel.Of(project)), "a public type has a summary");
    }

    // Enums, exceptions, delegates and static classes hold no state that a lock could protect.
    [TestCaseSource(nameof(Libraries))]
    public void Type_EachThatMayHoldState_SaysHowItIsShared(string project)
    {
        Findings.AssertNone(TypesWithoutLocking(SourceModel.Of(project)), "the remarks of a public type say Immutable, or Locking: and who may call when");
    }

    [TestCaseSource(nameof(Libraries))]
    public void Member_EachPublic_IsDocumentedWithParametersAndReturns(string project)
    {
        Findings.AssertNone(MemberGaps(SourceModel.Of(project)), "a public member has a summary, each parameter and what it returns");
    }

    internal static IEnumerable<string> TypesWithoutSummary(SourceModel model) => PublicMembers.Types(model)
        .Where(type => Element(type, "summary") is not { Length: > 0 }).Select(PublicMembers.Place);

    internal static IEnumerable<string> TypesWithoutLocking(SourceModel model) => PublicMembers.Types(model)
        .Where(type => type.TypeKind is TypeKind.Class or TypeKind.Struct or TypeKind.Interface && !type.IsStatic)
        .Where(type => type.ContainingType is null && !IsException(type) && !type.IsRefLikeType)
        .Where(type => !SaysHowShared(type))
        .Select(PublicMembers.Place);

    internal static IEnumerable<string> MemberGaps(SourceModel model) => PublicMembers.Types(model).SelectMany(PublicMembers.Of)
        .SelectMany(member => Gaps(member).Select(gap => $"{PublicMembers.Place(member)}: no {gap}"));

    private static IEnumerable<string> Gaps(ISymbol member)
    {
        XElement doc = Doc(member);
        bool inherits = doc.Element("inheritdoc") is not null || member.IsOverride || IsRecordProperty(member);
        if (inherits)
        {
            yield break;
        }

        if (string.IsNullOrWhiteSpace(doc.Element("summary")?.Value) && doc.Element("summary")?.HasElements != true)
        {
            yield return "summary";
        }

        if (member is not IMethodSymbol method || method.MethodKind is MethodKind.UserDefinedOperator or MethodKind.Conversion)
        {
            yield break;
        }

        string[] named = [.. doc.Elements("param").Concat(doc.Elements("typeparam")).Select(element => (string?)element.Attribute("name") ?? "")];
        foreach (ISymbol parameter in method.Parameters.Concat<ISymbol>(method.TypeParameters).Where(parameter => !named.Contains(parameter.Name)))
        {
            yield return $"param {parameter.Name}";
        }

        if (!method.ReturnsVoid && method.MethodKind == MethodKind.Ordinary && doc.Element("returns") is null)
        {
            yield return "returns";
        }
    }

    // A positional property is documented by the type's param; the constructor itself too.
    private static bool IsRecordProperty(ISymbol member) =>
        member.DeclaringSyntaxReferences.Any(reference => reference.GetSyntax()
            is Microsoft.CodeAnalysis.CSharp.Syntax.ParameterSyntax or Microsoft.CodeAnalysis.CSharp.Syntax.TypeDeclarationSyntax);

    private static bool SaysHowShared(INamedTypeSymbol type)
    {
        string remarks = Element(type, "remarks") ?? "";
        return remarks.Contains("mmutable", StringComparison.Ordinal) || remarks.Contains("locking:", StringComparison.OrdinalIgnoreCase);
    }

    private static bool IsException(INamedTypeSymbol type) =>
        type.BaseType is not null && (type.BaseType.Name == nameof(Exception) || IsException(type.BaseType));

    private static string? Element(ISymbol symbol, string name) => Doc(symbol).Element(name)?.Value.Trim();

    private static XElement Doc(ISymbol symbol)
    {
        string? text = symbol.GetDocumentationCommentXml();
        return string.IsNullOrEmpty(text) ? new XElement("none") : XElement.Parse(text.StartsWith("<member", StringComparison.Ordinal) ? text : $"<d>{text}</d>");
    }
}
