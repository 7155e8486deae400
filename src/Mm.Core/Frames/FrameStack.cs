using System.Runtime.CompilerServices;

namespace Mm.Core.Frames;

/// <summary>A processor's free pages of one zone and type: last in, first out, and the oldest ones go back to the zone.</summary>
/// <remarks>
/// <b>Linux:</b> one list of struct per_cpu_pages (v6.12). A ring of frame numbers instead of a list through the pages, so
/// that neither end touches a page's metadata.
/// <para><b>Invariants:</b> (1) at most <see cref="Capacity"/> frames.</para>
/// <para><b>Locking:</b> its processor's (<see cref="FrameCpu"/>).</para>
/// </remarks>
internal sealed class FrameStack
{
    /// <summary>How many frames travel between stack and zone at once. <b>Linux:</b> pcp-&gt;batch.</summary>
    internal const int Batch = 63;

    /// <summary>From how many frames on the oldest go back. <b>Linux:</b> pcp-&gt;high.</summary>
    internal const int High = 378;

    /// <summary>How many large blocks a processor keeps at most.</summary>
    internal const int HighLarge = 4;

    /// <summary>The room: a power of two above <see cref="High"/> plus a batch.</summary>
    internal const int Capacity = 512;

    private const uint Mask = Capacity - 1;

    private Ring frames; // inside the object: one dependent load less on every pop and push
    private uint top; // where the next frame goes, modulo 2^32

    /// <summary>How many frames.</summary>
    internal int Count { get; private set; }

    /// <summary>Adds a frame; the stack is not full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Push(ulong frame)
    {
        frames[(int)(top & Mask)] = frame;
        top = unchecked(top + 1); // wraps: only its low bits count
        Count++;
    }

    /// <summary>Takes the newest frame; the stack is not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong Pop()
    {
        top = unchecked(top - 1); // wraps: only its low bits count
        Count--;
        return frames[(int)(top & Mask)];
    }

    /// <summary>Takes the oldest frames.</summary>
    /// <param name="taken">Where to; filled as far as there are frames.</param>
    /// <returns>How many.</returns>
    internal int TakeOldest(Span<ulong> taken)
    {
        int count = Math.Min(taken.Length, Count);
        uint bottom = unchecked(top - (uint)Count); // wraps: only its low bits count
        for (int i = 0; i < count; i++)
        {
            taken[i] = frames[(int)(unchecked(bottom + (uint)i) & Mask)];
        }

        Count -= count;
        return count;
    }

    /// <summary>Copies the frames, oldest first.</summary>
    /// <returns>The copy.</returns>
    internal ulong[] ToArray()
    {
        var copy = new ulong[Count];
        for (int i = 0; i < copy.Length; i++)
        {
            copy[i] = frames[(int)(unchecked(top - (uint)Count + (uint)i) & Mask)]; // wraps as above
        }

        return copy;
    }

    /// <summary>Room for <see cref="Capacity"/> frame numbers.</summary>
    [InlineArray(Capacity)]
    private struct Ring
    {
        private ulong first;
    }
}
