namespace Mm.P2pDma.Importers.Reading;

/// <summary>A member of a JSON object, or an item of an array.</summary>
/// <param name="Name">The name; empty for an item.</param>
/// <param name="Position">Where the name stands; of an item, its value.</param>
/// <param name="Value">The value.</param>
internal readonly record struct JsonTreeMember(string Name, ImportPosition Position, JsonTreeValue Value);
