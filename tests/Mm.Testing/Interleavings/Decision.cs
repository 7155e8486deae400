namespace Mm.Testing.Interleavings;

/// <summary>One place of the search where more than one actor may go on: which were open, and which one is being tried.</summary>
internal sealed class Decision(IReadOnlyList<int> options)
{
    /// <summary>The actors that may go on, the one that ran last first.</summary>
    internal IReadOnlyList<int> Options { get; } = options;

    /// <summary>Which option is being tried.</summary>
    internal int Taken { get; private set; }

    /// <summary>Turns to the next option, if one is left.</summary>
    internal bool TryAdvance()
    {
        if (Taken + 1 >= Options.Count)
        {
            return false;
        }

        Taken++;
        return true;
    }
}
