namespace Mm.P2pDma.Importers.Reading;

/// <summary>An attribute of a stranger's XML, with its place.</summary>
/// <param name="Name">The name.</param>
/// <param name="Value">The value, references resolved.</param>
/// <param name="Position">Where the name stands.</param>
internal readonly record struct XmlTreeAttribute(string Name, string Value, ImportPosition Position);
