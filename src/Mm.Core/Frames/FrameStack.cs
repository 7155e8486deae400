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

    private const int Mask = Capacity - 1;

    private Ring frames; // inside the object: one dependent load less on every pop and push
    private uint top; // where the next frame goes, modulo 2^32
    private uint bottom; // where the oldest frame is, modulo 2^32

    /// <summary>How many frames.</summary>
    internal int Count => unchecked((int)(top - bottom)); // wraps: at most Capacity apart

    /// <summary>Adds a frame; the stack is not full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Push(ulong frame)
    {
        frames[PlaceOf(top)] = frame;
        top = unchecked(top + 1); // wraps: only its low bits count
    }

    /// <summary>Takes the newest frame; the stack is not empty.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal ulong Pop()
    {
        top = unchecked(top - 1); // wraps: only its low bits count
        return frames[PlaceOf(top)];
    }

    /// <summary>Takes the oldest frames.</summary>
    /// <param name="taken">Where to; filled as far as there are frames.</param>
    /// <returns>How many.</returns>
    internal int TakeOldest(Span<ulong> taken)
    {
        int count = Math.Min(taken.Length, Count);
        for (int i = 0; i < count; i++)
        {
            taken[i] = frames[PlaceOf(bottom)];
            bottom = unchecked(bottom + 1); // wraps as top
        }

        return count;
    }

    /// <summary>Copies the frames, oldest first.</summary>
    /// <returns>The copy.</returns>
    internal ulong[] ToArray()
    {
        var copy = new ulong[Count];
        for (int i = 0; i < copy.Length; i++)
        {
            copy[i] = frames[PlaceOf(unchecked(bottom + (uint)i))]; // wraps as top
        }

        return copy;
    }

    // Masked as an integer, so that the JIT sees the bound and leaves its check out.
    private static int PlaceOf(uint position) => unchecked((int)position) & Mask;

    /// <summary>Room for <see cref="Capacity"/> frame numbers.</summary>
    [InlineArray(Capacity)]
    private struct Ring
    {
        private ulong first;
    }
}
