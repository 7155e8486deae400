using System.Text.Encodings.Web;
using System.Text.Json;

namespace Mm.Cli.Pictures;

/// <summary>How the tool writes JSON: indented, in lower camel case, readable characters unescaped.</summary>
internal static class JsonOutput
{
    /// <summary>The one set of options.</summary>
    public static JsonSerializerOptions Options { get; } = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
