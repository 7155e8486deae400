using System.Text;
using System.Text.Json;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Loads a stranger's JSON as a small tree with places, within limits: strict JSON, no name twice in an object.</summary>
/// <remarks>
/// Loading does not recurse.
/// <para><b>Locking:</b> the caller's; one load, one loader.</para>
/// </remarks>
internal sealed class BoundedJson
{
    private readonly ImportLog log;
    private readonly byte[] bytes;
    private readonly Stack<JsonTreeValue> open = new();
    private readonly Stack<HashSet<string>> names = new();
    private int offset;
    private int line = 1;
    private int column = 1;
    private int count;
    private string name = "";
    private ImportPosition namePosition;

    private BoundedJson(byte[] bytes, ImportLog log)
    {
        this.bytes = bytes;
        this.log = log;
    }

    /// <summary>Loads the tree.</summary>
    /// <param name="stream">The bytes; stays open.</param>
    /// <param name="log">The file's name and limits.</param>
    /// <returns>The outermost value.</returns>
    /// <exception cref="ImportRefusedException">The text is not strict JSON or passes a limit.</exception>
    internal static JsonTreeValue Load(Stream stream, ImportLog log)
    {
        using var text = new BoundedTextReader(stream, log);
        var loader = new BoundedJson(Encoding.UTF8.GetBytes(text.ReadToEnd()), log);
        try
        {
            return loader.LoadTree();
        }
        catch (JsonException exception)
        {
            throw new ImportRefusedException(new ImportError(
                log.At((int)(exception.LineNumber ?? 0) + 1, (int)(exception.BytePositionInLine ?? 0) + 1),
                "not well-formed JSON",
                WithoutPlace(exception.Message),
                $"strict JSON, at most {log.Limits.MaxDepth} levels deep"));
        }
    }

    private JsonTreeValue LoadTree()
    {
        var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { MaxDepth = log.Limits.MaxDepth });
        JsonTreeValue? root = null;
        while (reader.Read())
        {
            ImportPosition position = Advance((int)reader.TokenStartIndex);
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    TakeName(ref reader, position);
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    open.Pop();
                    names.Pop();
                    break;
                default:
                    JsonTreeValue value = Take(ref reader, position);
                    root ??= value;
                    break;
            }
        }

        return root ?? throw Refuse(log.At(1, 1), "the file is empty", "", "one JSON object");
    }

    private void TakeName(ref Utf8JsonReader reader, ImportPosition position)
    {
        name = Text(ref reader, position);
        namePosition = position;
        if (!names.Peek().Add(name))
        {
            throw Refuse(position, "the member is there twice", name, "each name once in an object");
        }
    }

    private JsonTreeValue Take(ref Utf8JsonReader reader, ImportPosition position)
    {
        if (++count > log.Limits.MaxElements)
        {
            throw Refuse(
                position, "the file has too many values", $"more than {log.Limits.MaxElements}", $"at most {log.Limits.MaxElements}");
        }

        string text = reader.TokenType switch
        {
            JsonTokenType.String => Text(ref reader, position),
            JsonTokenType.Number => Encoding.UTF8.GetString(reader.ValueSpan),
            _ => "",
        };
        var value = new JsonTreeValue(reader.TokenType, position, text);
        if (open.TryPeek(out JsonTreeValue? around))
        {
            bool isMember = around.Kind == JsonTokenType.StartObject;
            around.Add(new JsonTreeMember(isMember ? name : "", isMember ? namePosition : position, value));
        }

        if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray)
        {
            open.Push(value);
            names.Push(new HashSet<string>(StringComparer.Ordinal));
        }

        return value;
    }

    private string Text(ref Utf8JsonReader reader, ImportPosition position)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Refuse(position, "the string is no text", "half of a surrogate pair", "whole characters");
        }
    }

    // Follows the place over the bytes between two tokens; each byte is looked at once.
    private ImportPosition Advance(int target)
    {
        for (; offset < target; offset++)
        {
            bool isEnd = bytes[offset] == (byte)'\n';
            line += isEnd ? 1 : 0;
            column = isEnd ? 1 : column + ((bytes[offset] & 0xC0) == 0x80 ? 0 : 1);
        }

        return log.At(line, column);
    }

    private static ImportRefusedException Refuse(ImportPosition position, string what, string found, string allowed) =>
        new(new ImportError(position, what, found, allowed));

    // The platform's messages end in "LineNumber: 0 | BytePositionInLine: 1."; the place stands in front already.
    private static string WithoutPlace(string message)
    {
        int place = message.LastIndexOf(" LineNumber:", StringComparison.Ordinal);
        return place < 0 ? message : message[..place];
    }
}
