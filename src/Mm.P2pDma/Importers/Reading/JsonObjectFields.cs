using System.Text.Json;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>Reads the members of one JSON object strictly: each is asked for by name, and those never asked for are errors.</summary>
/// <remarks>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class JsonObjectFields
{
    private readonly JsonTreeValue value;
    private readonly ImportLog log;
    private readonly List<string> asked = [];

    /// <summary>Starts to read an object; any other value is an error, and reads as an empty object.</summary>
    /// <param name="value">The value.</param>
    /// <param name="log">Where errors go.</param>
    internal JsonObjectFields(JsonTreeValue value, ImportLog log)
    {
        this.value = value;
        this.log = log;
        if (value.Kind != JsonTokenType.StartObject)
        {
            log.Error(value.Position, "the value is not an object", value.Shown, "{ … }");
        }
    }

    /// <summary>Reads a value out of a string.</summary>
    /// <typeparam name="T">What it is.</typeparam>
    /// <param name="text">The string.</param>
    /// <param name="result">The value.</param>
    /// <returns>Whether the string is one.</returns>
    internal delegate bool Parser<T>(string text, out T result);

    /// <summary>Where the object starts.</summary>
    internal ImportPosition Position => value.Position;

    /// <summary>A string; null where absent.</summary>
    internal string? Text(string name) =>
        TryGet(name, JsonTokenType.String, "a string", out JsonTreeValue found) ? found.Text : null;

    /// <summary>A value written as a string; null where absent or wrong.</summary>
    internal T? Parsed<T>(string name, Parser<T> parse, string allowed)
        where T : struct
    {
        if (!TryGet(name, JsonTokenType.String, allowed, out JsonTreeValue found))
        {
            return null;
        }

        if (parse(found.Text, out T result))
        {
            return result;
        }

        log.Error(found.Position, $"{name} is not readable", found.Text, allowed);
        return null;
    }

    /// <summary>As <see cref="Parsed"/>, where it must not be absent.</summary>
    internal bool TryRequired<T>(string name, Parser<T> parse, string allowed, out T result)
        where T : struct
    {
        bool isThere = Has(name);
        T? parsed = Parsed(name, parse, allowed);
        if (!isThere)
        {
            Missing(name, allowed);
        }

        result = parsed ?? default;
        return parsed is not null;
    }

    /// <summary>A whole number; null where absent or wrong.</summary>
    internal long? Number(string name, long min, long max)
    {
        string allowed = $"a whole number from {min} to {max}";
        if (!TryGet(name, JsonTokenType.Number, allowed, out JsonTreeValue found))
        {
            return null;
        }

        bool isNegative = found.Text.StartsWith('-');
        ulong limit = isNegative ? (ulong)-(Int128)Math.Min(min, 0) : (ulong)Math.Max(max, 0);
        if (StrictNumber.TryDecimal(found.Text.AsSpan(isNegative ? 1 : 0), limit, out ulong size))
        {
            long number = (long)(isNegative ? -(Int128)size : size);
            if (number >= min && number <= max)
            {
                return number;
            }
        }

        log.Error(found.Position, $"{name} is out of range", found.Text, allowed);
        return null;
    }

    /// <summary>A 32-bit number; null where absent or wrong.</summary>
    internal int? Int(string name) => (int?)Number(name, int.MinValue, int.MaxValue);

    /// <summary>A number of 64 bits without sign; null where absent or wrong.</summary>
    internal ulong? Large(string name)
    {
        const string allowed = "a whole number from 0 to 18446744073709551615";
        if (!TryGet(name, JsonTokenType.Number, allowed, out JsonTreeValue found))
        {
            return null;
        }

        if (StrictNumber.TryDecimal(found.Text, ulong.MaxValue, out ulong number))
        {
            return number;
        }

        log.Error(found.Position, $"{name} is out of range", found.Text, allowed);
        return null;
    }

    /// <summary>True or false; null where absent or wrong.</summary>
    internal bool? Flag(string name)
    {
        if (!TryFind(name, out JsonTreeValue found))
        {
            return null;
        }

        if (found.Kind is JsonTokenType.True or JsonTokenType.False)
        {
            return found.Kind == JsonTokenType.True;
        }

        log.Error(found.Position, $"{name} is not a flag", found.Shown, "true or false");
        return null;
    }

    /// <summary>An object; null where absent.</summary>
    internal JsonObjectFields? Object(string name) =>
        TryFind(name, out JsonTreeValue found) ? new JsonObjectFields(found, log) : null;

    /// <summary>The items of an array; empty where absent.</summary>
    internal IEnumerable<JsonTreeValue> Items(string name) =>
        TryGet(name, JsonTokenType.StartArray, "[ … ]", out JsonTreeValue found) ? found.Members.Select(item => item.Value) : [];

    /// <summary>Says that a member must not be absent.</summary>
    internal void Missing(string name, string allowed) =>
        log.Error(value.Position, $"the object has no {name}", "", allowed);

    /// <summary>Refuses the members that were never asked for.</summary>
    internal void Finish()
    {
        foreach (JsonTreeMember member in value.Members)
        {
            if (value.Kind == JsonTokenType.StartObject && !asked.Contains(member.Name))
            {
                log.Error(member.Position, "the member is not known", member.Name, string.Join(", ", asked));
            }
        }
    }

    /// <summary>Whether the object has a member.</summary>
    internal bool Has(string name) => value.Members.Any(member => member.Name == name);

    private bool TryGet(string name, JsonTokenType kind, string allowed, out JsonTreeValue found)
    {
        if (!TryFind(name, out found))
        {
            return false;
        }

        if (found.Kind != kind)
        {
            log.Error(found.Position, $"{name} has a wrong type", found.Shown, allowed);
        }

        return found.Kind == kind;
    }

    private bool TryFind(string name, out JsonTreeValue found)
    {
        asked.Add(name);
        foreach (JsonTreeMember member in value.Members)
        {
            if (member.Name == name)
            {
                found = member.Value;
                return true;
            }
        }

        found = value;
        return false;
    }
}
