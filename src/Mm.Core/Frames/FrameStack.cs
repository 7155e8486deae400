using System.Runtime.CompilerServices;

namespace Mm.Core.Frames;

/// <summary>A processor's free pages of one zone and type: last in, first out, and the oldest ones go back to the zone.</summary>
/// <remarks>
/// <b>Linux:</b> one list of struct per_cpu_pages (v6.12). A ring of frame numbers instead of a list through the pages, so
/// that neither end touches a page's metadata.
/// <para><b>Invariants:</b> (1) at most <see cref="Capacity"/> frames; (2) what came in and did not go out is here: refilled
/// and returned, less taken and spilled.</para>
/// <para><b>Counters:</b> three are kept and the fourth, <see cref="Returned"/>, follows from invariant 2: a hot put counts
/// nothing.</para>
/// <para><b>Locking:</b> its processor's (<see cref="FrameCpu"/>).</para>
/// </remarks>
/// <param name="zoneKey">The zone.</param>
/// <param name="type">The type of the pageblocks that most of them are in; what is lent out comes to the movable ones.</param>
/// <param name="order">The order of the blocks.</param>
internal sealed class FrameStack(int zoneKey, MigrateType type, int order)
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

    private readonly int high = order == 0 ? High : HighLarge;
    private Ring frames; // inside the object: one dependent load less on every pop and push
    private uint top; // where the next frame goes, modulo 2^32
    private uint bottom; // where the oldest frame is, modulo 2^32
    private long taken;
    private long refilled;
    private long spilled;

    /// <summary>The order of the blocks.</summary>
    internal int Order => order;

    /// <summary>The count word of a block that lies here.</summary>
    internal ulong FreeWord { get; } = PageCountWord.PerCpu(order).Bits;

    /// <summary>The count word of a page or folio that was taken from here, with one reference.</summary>
    internal ulong SoleWord { get; } = PageCountWord.Folio(order).Bits;

    /// <summary>The count word of such a one when that reference goes.</summary>
    internal ulong FrozenWord { get; } = PageCountWord.Frozen(order).Bits;

    /// <summary>The flags word of a page of the zone of which nothing is said.</summary>
    internal ulong CleanFlags { get; } = PageFlagsWord.OfZone(zoneKey).Bits;

    /// <summary>The type of pageblock.</summary>
    internal MigrateType Type => type;

    /// <summary>How many frames.</summary>
    internal int Count
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => unchecked((int)(top - bottom)); // both wrap
    }

    /// <summary>Whether the oldest frames have to go before another comes.</summary>
    internal bool IsFull
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => Count >= high;
    }

    /// <summary>Frames that were handed out from here, ever.</summary>
    internal long Taken => taken;

    /// <summary>Frames that came back to here, ever.</summary>
    internal long Returned => Count + taken + spilled - refilled;

    /// <summary>Adds a frame that was handed out; the stack is not full.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Push(ulong frame)
    {
        // Unchecked: top wraps, only its low bits count.
        unchecked
        {
            frames[(int)(top & Mask)] = frame;
            top++;
        }
    }

    /// <summary>Adds a frame that comes from the zone; the stack is not full.</summary>
    internal void Refill(ulong frame)
    {
        Push(frame);
        refilled++;
    }

    /// <summary>Takes the newest frame to hand it out.</summary>
    /// <param name="frame">The frame's number.</param>
    /// <returns>Whether there was one.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPop(out ulong frame)
    {
        // Unchecked: top wraps, and 2^63 pages are not taken in the life of a machine.
        unchecked
        {
            uint next = top - 1;
            if (top == bottom)
            {
                frame = 0;
                return false;
            }

            top = next;
            taken++;
            frame = frames[(int)(next & Mask)];
            return true;
        }
    }

    /// <summary>Takes the newest frames to hand them out.</summary>
    /// <param name="newest">Where to, newest first; filled as far as there are frames.</param>
    /// <returns>How many.</returns>
    internal int PopMany(Span<ulong> newest)
    {
        int count = Math.Min(newest.Length, Count);
        for (int i = 0; i < count; i++)
        {
            top = unchecked(top - 1); // wraps: only its low bits count
            newest[i] = frames[(int)(top & Mask)];
        }

        taken += count;
        return count;
    }

    /// <summary>Takes the oldest frames, which go back to the zone.</summary>
    /// <param name="oldest">Where to; filled as far as there are frames.</param>
    /// <returns>How many.</returns>
    internal int TakeOldest(Span<ulong> oldest)
    {
        int count = Math.Min(oldest.Length, Count);
        for (int i = 0; i < count; i++)
        {
            oldest[i] = At(i);
        }

        bottom = unchecked(bottom + (uint)count); // wraps: only its low bits count
        spilled += count;
        return count;
    }

    /// <summary>Copies the frames, oldest first.</summary>
    /// <returns>The copy.</returns>
    internal ulong[] ToArray()
    {
        var copy = new ulong[Count];
        for (int i = 0; i < copy.Length; i++)
        {
            copy[i] = At(i);
        }

        return copy;
    }

    private ulong At(int index) => frames[(int)(unchecked(bottom + (uint)index) & Mask)]; // wraps: only its low bits count

    /// <summary>Room for <see cref="Capacity"/> frame numbers.</summary>
    [InlineArray(Capacity)]
    private struct Ring
    {
        private ulong first;
    }
}
