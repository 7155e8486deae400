namespace Mm.Hmm.Tests.Mirrors;

/// <summary>What a page holds: its first word, its last, and the one that all others are.</summary>
/// <param name="First">The first eight bytes.</param>
/// <param name="Others">Each of the words between.</param>
/// <param name="Last">The last eight bytes.</param>
internal readonly record struct ReferenceWords(ulong First, ulong Others, ulong Last)
{
    internal static ReferenceWords All(ulong value) => new(value, value, value);

    /// <summary>What a page of a fresh file holds.</summary>
    internal static ReferenceWords OfFile(ulong value) => new(value, 0, value);

    public override string ToString() => $"{First}/{Last}";
}
