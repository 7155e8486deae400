using System.Xml;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Loads a stranger's XML as a small tree with places, within limits, resolving nothing.</summary>
/// <remarks>
/// No external DTD is fetched, no entity but XML's own five is known, an internal subset is refused
/// (<see cref="XmlPrologGuard"/>). Depth, elements, attributes, line length and size are bounded; nothing recurses while loading.
/// <para><b>Locking:</b> none needed: all state is in the call.</para>
/// </remarks>
internal static class BoundedXml
{
    /// <summary>Loads the tree.</summary>
    /// <param name="stream">The bytes; stays open.</param>
    /// <param name="log">The file's name and limits.</param>
    /// <returns>The root element.</returns>
    /// <exception cref="ImportRefusedException">The text is not well-formed or passes a limit.</exception>
    internal static XmlTreeElement Load(Stream stream, ImportLog log)
    {
        var settings = new XmlReaderSettings
        {
            CheckCharacters = true,
            CloseInput = false,
            ConformanceLevel = ConformanceLevel.Document,
            DtdProcessing = DtdProcessing.Ignore, // XmlPrologGuard has refused every DTD with contents by then
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
            IgnoreWhitespace = true,
            MaxCharactersFromEntities = 1,
            MaxCharactersInDocument = (long)Math.Min(log.Limits.MaxFileSize.Value, long.MaxValue),
            XmlResolver = null,
        };
        using var text = new BoundedTextReader(stream, log);
        using var guard = new XmlPrologGuard(text, log);
        using var reader = XmlReader.Create(guard, settings);
        try
        {
            return LoadTree(reader, (IXmlLineInfo)reader, log);
        }
        catch (XmlException exception)
        {
            throw new ImportRefusedException(new ImportError(
                log.At(Math.Max(exception.LineNumber, 1), Math.Max(exception.LinePosition, 1)),
                "not well-formed XML",
                WithoutPlace(exception.Message),
                "one well-formed XML document"));
        }
    }

    private static XmlTreeElement LoadTree(XmlReader reader, IXmlLineInfo place, ImportLog log)
    {
        var open = new Stack<XmlTreeElement>();
        XmlTreeElement? root = null;
        int count = 0;
        while (reader.Read())
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.XmlDeclaration:
                    CheckEncoding(reader, log.At(place.LineNumber, place.LinePosition));
                    break;
                case XmlNodeType.Element:
                    ImportPosition position = log.At(place.LineNumber, place.LinePosition);
                    CheckLimit(++count, log.Limits.MaxElements, position, "the file has too many elements");
                    bool isLeaf = reader.IsEmptyElement;
                    XmlTreeElement element = ReadElement(reader, place, position, log);
                    root ??= element;
                    (open.Count > 0 ? open.Peek() : null)?.Add(element);
                    if (!isLeaf)
                    {
                        CheckLimit(open.Count + 1, log.Limits.MaxDepth, position, "the elements are nested too deeply");
                        open.Push(element);
                    }

                    break;
                case XmlNodeType.EndElement:
                    open.Pop();
                    break;
                case XmlNodeType.Text or XmlNodeType.CDATA when open.Count > 0:
                    open.Peek().Append(reader.Value);
                    break;
                default:
                    break;
            }
        }

        return root ?? throw new ImportRefusedException(
            new ImportError(log.At(1, 1), "the file has no root element", "", "one well-formed XML document"));
    }

    private static XmlTreeElement ReadElement(XmlReader reader, IXmlLineInfo place, ImportPosition position, ImportLog log)
    {
        string name = reader.Name;
        CheckLimit(reader.AttributeCount, log.Limits.MaxAttributes, position, "the element has too many attributes");
        var attributes = new XmlTreeAttribute[reader.AttributeCount];
        for (int index = 0; index < attributes.Length; index++)
        {
            reader.MoveToAttribute(index);
            attributes[index] = new XmlTreeAttribute(
                reader.Name, reader.Value, log.At(place.LineNumber, place.LinePosition));
        }

        return new XmlTreeElement(name, position, attributes);
    }

    private static void CheckEncoding(XmlReader reader, ImportPosition position)
    {
        string encoding = reader.GetAttribute("encoding") ?? "UTF-8";
        if (!encoding.Equals("UTF-8", StringComparison.OrdinalIgnoreCase)
            && !encoding.Equals("US-ASCII", StringComparison.OrdinalIgnoreCase))
        {
            throw new ImportRefusedException(new ImportError(position, "the encoding is not known", encoding, "UTF-8"));
        }
    }

    private static void CheckLimit(int count, int limit, ImportPosition position, string what)
    {
        if (count > limit)
        {
            throw new ImportRefusedException(new ImportError(position, what, $"more than {limit}", $"at most {limit}"));
        }
    }

    // The platform's messages end in "Line 3, position 7."; the place stands in front already.
    private static string WithoutPlace(string message)
    {
        int place = message.LastIndexOf(" Line ", StringComparison.Ordinal);
        return place < 0 ? message : message[..place];
    }
}
