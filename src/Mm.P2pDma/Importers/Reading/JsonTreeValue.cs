using System.Text.Json;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>A value of a stranger's JSON, with its place.</summary>
/// <remarks>
/// The platform's documents keep no places; hence this.
/// <para><b>Locking:</b> built by one thread, then only read.</para>
/// </remarks>
/// <param name="kind">What it is.</param>
/// <param name="position">Where it starts.</param>
/// <param name="text">The contents of a string, the digits of a number; else empty.</param>
internal sealed class JsonTreeValue(JsonTokenType kind, ImportPosition position, string text)
{
    private readonly List<JsonTreeMember> members = [];

    /// <summary>What it is: StartObject, StartArray, String, Number, True, False or Null.</summary>
    internal JsonTokenType Kind { get; } = kind;

    /// <summary>Where it starts.</summary>
    internal ImportPosition Position { get; } = position;

    /// <summary>The contents of a string, the digits of a number; else empty.</summary>
    internal string Text { get; } = text;

    /// <summary>The members of an object, names unique; the items of an array, without names.</summary>
    internal IReadOnlyList<JsonTreeMember> Members => members;

    /// <summary>What an error quotes.</summary>
    internal string Shown => Kind switch
    {
        JsonTokenType.StartObject => "{…}",
        JsonTokenType.StartArray => "[…]",
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        JsonTokenType.Null => "null",
        _ => Text,
    };

    /// <summary>Adds a member or item; for the loader.</summary>
    /// <param name="member">The member.</param>
    internal void Add(JsonTreeMember member) => members.Add(member);
}
