using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace Mm.Repo.Tests.PublicApi;

/// <summary>Addresses, frames and counts of bytes or pages have types of their own: a raw integer of such a name is a mistake.</summary>
public sealed partial class RawIntegerTests
{
    // Type.Member or Type.Member(parameter): why a raw integer is right there.
    private static readonly Dictionary<string, string> Allowed = new(StringComparer.Ordinal)
    {
        ["CheckDetail..ctor(literalLength)"] = "characters of a text, as the compiler counts them",
        ["ByteCount.FromKiB(kib)"] = "makes the word",
        ["ByteCount.FromMiB(mib)"] = "makes the word",
        ["ByteCount.FromGiB(gib)"] = "makes the word",
        ["SyncFile.MaxNameLength"] = "characters of a name",
        ["DmaBuffer.MaxNameLength"] = "characters of a name",
        ["IMachineImporter.SniffLength"] = "characters of a file, which index a span",
        ["ImportError.MaxFoundLength"] = "characters of a message",
        ["LinkBandwidth..ctor(BytesPerSecond)"] = "is a word itself: a rate, not a count",
        ["LinkBandwidth.BytesPerSecond"] = "is a word itself: a rate, not a count",
        ["LinkBandwidth.FromMegabytes(megabytesPerSecond)"] = "makes the word",
    };

    private static readonly SpecialType[] Integers =
    [
        SpecialType.System_Int16, SpecialType.System_UInt16, SpecialType.System_Int32, SpecialType.System_UInt32,
        SpecialType.System_Int64, SpecialType.System_UInt64, SpecialType.System_IntPtr, SpecialType.System_UIntPtr,
    ];

    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Devices")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    public void RawInteger_InAPublicSignature_StandsForNoAddressFrameOrCount(string project)
    {
        Findings.AssertNone(RawIntegers(SourceModel.Of(project)), "say Pfn, PhysAddr, ByteCount, PageCount ...; or allow it here, with the reason");
    }

    [Test]
    public void AllowList_EachEntry_IsStillNeeded()
    {
        HashSet<string> suspects = [.. new[] { "Mm.Core", "Mm.P2pDma", "Mm.Hmm", "Mm.DmaBuf", "Mm.Devices" }
            .SelectMany(project => PublicMembers.Types(SourceModel.Of(project)))
            .SelectMany(PublicMembers.Of).SelectMany(Suspects).Select(suspect => suspect.Name)];

        Assert.That(Allowed.Keys, Is.SubsetOf(suspects));
    }

    internal static IEnumerable<string> RawIntegers(SourceModel model) => PublicMembers.Types(model).SelectMany(PublicMembers.Of)
        .SelectMany(Suspects)
        .Where(suspect => !Allowed.ContainsKey(suspect.Name))
        .Select(suspect => $"{suspect.Place}: {suspect.Name}");

    private static IEnumerable<(string Name, string Place)> Suspects(ISymbol member)
    {
        string name = $"{member.ContainingType.Name}.{member.Name}";
        string place = PublicMembers.Place(member);
        if (IsInteger(TypeOf(member)) && Quantity().IsMatch(member.Name))
        {
            yield return (name, place);
        }

        foreach (IParameterSymbol parameter in (member as IMethodSymbol)?.Parameters ?? (member as IPropertySymbol)?.Parameters ?? [])
        {
            if (IsInteger(parameter.Type) && Quantity().IsMatch(parameter.Name))
            {
                yield return ($"{name}({parameter.Name})", place);
            }
        }
    }

    private static ITypeSymbol? TypeOf(ISymbol member) => member switch
    {
        IMethodSymbol { MethodKind: MethodKind.Ordinary } method => method.ReturnType,
        IPropertySymbol property => property.Type,
        IFieldSymbol field => field.Type,
        _ => null,
    };

    // Also a nullable one, an array or span of them, a list, a function that takes or gives one.
    private static bool IsInteger(ITypeSymbol? type) => type switch
    {
        null => false,
        IArrayTypeSymbol array => IsInteger(array.ElementType),
        INamedTypeSymbol { TypeArguments.Length: > 0 } generic => generic.TypeArguments.Any(IsInteger),
        _ => Integers.Contains(type.SpecialType),
    };

    [GeneratedRegex("addr|pfn|frame|byte|[KMG]iB|length|offset|pages", RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Quantity();
}
