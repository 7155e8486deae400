namespace Mm.Benchmarks;

/// <summary>The generator of <c>bench/peers/peer.h</c>: both sides of a comparison get the same inputs from the same seed.</summary>
internal static class Xorshift
{
    /// <summary>Draws 64 bits.</summary>
    /// <param name="state">The seed, and what it has become; not 0.</param>
    internal static ulong Next(ref ulong state)
    {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    }

    /// <summary>Brings items into a random order.</summary>
    /// <param name="items">The items.</param>
    /// <param name="seed">Where the order comes from; not 0.</param>
    internal static void Shuffle<T>(Span<T> items, ulong seed)
    {
        for (int index = items.Length - 1; index > 0; index--)
        {
            int other = (int)(Next(ref seed) % (ulong)(index + 1));
            (items[index], items[other]) = (items[other], items[index]);
        }
    }
}
