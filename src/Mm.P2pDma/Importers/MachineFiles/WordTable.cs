namespace Mm.P2pDma.Importers.MachineFiles;

/// <summary>The words that a text format uses for the values of an enumeration, both ways.</summary>
/// <typeparam name="T">The enumeration.</typeparam>
/// <param name="words">Each value once, each word once.</param>
internal sealed class WordTable<T>(params (T Value, string Word)[] words)
    where T : struct, Enum
{
    /// <summary>All words, as an error lists them.</summary>
    internal string Allowed { get; } = string.Join(", ", words.Select(pair => pair.Word));

    /// <summary>All values.</summary>
    internal IEnumerable<T> Values => words.Select(pair => pair.Value);

    /// <summary>The word of a value.</summary>
    /// <param name="value">The value.</param>
    /// <returns>The word.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The value has no word.</exception>
    internal string Word(T value)
    {
        foreach ((T candidate, string word) in words)
        {
            if (EqualityComparer<T>.Default.Equals(candidate, value))
            {
                return word;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(value), value, $"{typeof(T).Name} {value} is not one of {Allowed}");
    }

    /// <summary>The value of a word.</summary>
    /// <param name="word">The word.</param>
    /// <param name="value">The value, or <c>default</c>.</param>
    /// <returns>Whether there is such a word.</returns>
    internal bool TryValue(string word, out T value)
    {
        foreach ((T candidate, string candidateWord) in words)
        {
            if (candidateWord == word)
            {
                value = candidate;
                return true;
            }
        }

        value = default;
        return false;
    }
}
