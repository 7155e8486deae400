namespace Mm.P2pDma.Importers.Reading;

/// <summary>An element of a stranger's XML, with its place.</summary>
/// <remarks>
/// Only what importers need: no comments, no instructions, text as one piece.
/// The platform's XDocument keeps no place for attributes and has no limits; hence this.
/// <para><b>Locking:</b> built by one thread, then only read.</para>
/// </remarks>
/// <param name="name">The name.</param>
/// <param name="position">Where it starts.</param>
/// <param name="attributes">Its attributes, in order.</param>
internal sealed class XmlTreeElement(string name, ImportPosition position, XmlTreeAttribute[] attributes)
{
    private readonly List<XmlTreeElement> children = [];

    /// <summary>The name.</summary>
    internal string Name { get; } = name;

    /// <summary>Where it starts.</summary>
    internal ImportPosition Position { get; } = position;

    /// <summary>Its attributes, in the file's order; names are unique.</summary>
    internal IReadOnlyList<XmlTreeAttribute> Attributes { get; } = attributes;

    /// <summary>The elements in it, in the file's order.</summary>
    internal IReadOnlyList<XmlTreeElement> Children => children;

    /// <summary>The text directly in it, without that of its children.</summary>
    internal string Text { get; private set; } = "";

    /// <summary>Finds an attribute.</summary>
    /// <param name="attributeName">Its name.</param>
    /// <param name="attribute">The attribute.</param>
    /// <returns>Whether there is one.</returns>
    internal bool TryGet(string attributeName, out XmlTreeAttribute attribute)
    {
        foreach (XmlTreeAttribute candidate in attributes)
        {
            if (candidate.Name == attributeName)
            {
                attribute = candidate;
                return true;
            }
        }

        attribute = default;
        return false;
    }

    /// <summary>The value of an attribute; null when there is none.</summary>
    /// <param name="attributeName">Its name.</param>
    /// <returns>The value.</returns>
    internal string? Value(string attributeName) => TryGet(attributeName, out XmlTreeAttribute found) ? found.Value : null;

    /// <summary>Adds a child; for the loader.</summary>
    /// <param name="child">The child.</param>
    internal void Add(XmlTreeElement child) => children.Add(child);

    /// <summary>Adds text; for the loader.</summary>
    /// <param name="text">The text.</param>
    internal void Append(string text) => Text = Text.Length == 0 ? text : Text + text;
}
