using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Mm.Core.Frames;

/// <summary>A page's references, pins, order and state in one word, and every legal step from one such word to the next.</summary>
/// <remarks>
/// <code>
/// 63   61 60   59      55 54               32 31                        0
/// | state | C |  order   |  pins (of folios)  |        references        |
/// </code>
/// One word, because a put must see in the same instant the count, the state and how much it frees; two atomics would
/// let a get slip in between. Order comes above the counts so that a count that broke its bound would be seen in it.
/// <para><b>Bands of references:</b> 0: state is not InUse. 1 to 0x7fff_ffff: InUse. 0x8000_0000 and above: never;
/// a step that would get there is refused, as Linux refuses a count that looks negative.</para>
/// <para><b>Pins:</b> on a page of order 0 a pin is 1024 references, and 1024 plain references look like a pin: that
/// false positive is Linux's too. On a folio (C, compound) each pin counts in "pins" and is one reference.</para>
/// <para><b>Order:</b> of the block this frame is first of: free, on a stack, compound (C), or handed out whole without
/// being compound (a raw block, until its <see cref="PageBlock"/> is put).</para>
/// <para><b>Linux:</b> _refcount, folio._pincount, buddy_order, PG_head (v6.12); GUP_PIN_COUNTING_BIAS.</para>
/// <para><b>Invariants:</b> (1) references are 0 exactly when the state is not InUse; (2) pins are at most references,
/// and 0 unless compound; (3) Blank is all zero.</para>
/// <para>Pure and immutable: a refused step returns false and the unchanged word. <c>default</c> is Blank.</para>
/// </remarks>
/// <param name="Bits">The raw word.</param>
internal readonly record struct PageCountWord(ulong Bits)
{
    /// <summary>How many references one pin of a page of order 0 is.</summary>
    internal const uint PinBias = 1024;

    /// <summary>The most references a page can have.</summary>
    internal const uint MaxReferences = 0x7fff_ffff;

    /// <summary>The most pins a folio can have.</summary>
    internal const uint MaxPins = (1u << PinWidth) - 1;

    /// <summary>The largest order that the word can hold.</summary>
    internal const int MaxOrder = 31;

    internal const int PinShift = 32;
    internal const int PinWidth = 23;
    internal const int OrderShift = 55;
    internal const int OrderWidth = 5;
    internal const int CompoundShift = 60;
    internal const int StateShift = 61;

    private const ulong OnePin = 1UL << PinShift;
    private const ulong CompoundBit = 1UL << CompoundShift;
    private const ulong OrderMask = ((1UL << OrderWidth) - 1) << OrderShift;
    private const ulong InUseBits = (ulong)PageState.InUse << StateShift;
    private const ulong FrozenBits = (ulong)PageState.Frozen << StateShift;
    private const ulong StateMask = 7UL << StateShift;

    /// <summary>Never touched, or inside a larger block.</summary>
    internal static PageCountWord Blank => default;

    /// <summary>A page of order 0 with one reference.</summary>
    internal static PageCountWord Single => new(InUseBits | 1);

    /// <summary>Who answers for the frame.</summary>
    internal PageState State => (PageState)(Bits >> StateShift);

    /// <summary>Whether the frame is the head of a folio of order 1 or more.</summary>
    internal bool IsCompound => (Bits & CompoundBit) != 0;

    /// <summary>The order of the block.</summary>
    internal int Order => (int)((Bits & OrderMask) >> OrderShift);

    /// <summary>Pins that are counted apart; 0 on a page of order 0.</summary>
    internal uint Pins => unchecked((uint)(Bits >> PinShift)) & MaxPins; // what the cast drops is no pin

    /// <summary>References.</summary>
    internal uint References => (uint)(Bits & uint.MaxValue);

    /// <summary>Whether somebody may do DMA to the page: exact for folios, by the bias for pages of order 0.</summary>
    internal bool MaybePinned => IsCompound ? Pins != 0 : References >= PinBias;

    private bool IsInUse => Bits >> StateShift == (ulong)PageState.InUse;

    /// <summary>A block on a free list.</summary>
    internal static PageCountWord Free(int order) => Of(PageState.Free, order);

    /// <summary>A block on a processor's stack.</summary>
    internal static PageCountWord PerCpu(int order) => Of(PageState.PerCpu, order);

    /// <summary>A page, or a folio of an order above 0, whose last reference has gone.</summary>
    internal static PageCountWord Frozen(int order) =>
        new(Of(PageState.Frozen, order).Bits | (order > 0 ? CompoundBit : 0));

    /// <summary>A device's page that its driver keeps.</summary>
    internal static PageCountWord DeviceIdle() => Of(PageState.DeviceIdle, 0);

    /// <summary>A block handed out with one reference, its frames apart from the first unspoken for.</summary>
    internal static PageCountWord Raw(int order) => new(Of(PageState.InUse, order).Bits | 1);

    /// <summary>A folio handed out with one reference; of order 0 it is a plain page.</summary>
    internal static PageCountWord Folio(int order) => new(Raw(order).Bits | (order > 0 ? CompoundBit : 0));

    /// <summary>Takes references. Refused unless in use, or when the count would pass its bound.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryGet(uint count, out PageCountWord next)
    {
        bool allowed = IsInUse && count <= MaxReferences - References;
        next = allowed ? new PageCountWord(Bits + count) : this;
        return allowed;
    }

    /// <summary>Drops references; the last one freezes the page for whoever dropped it. Refused when there are fewer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPut(uint count, out PageCountWord next)
    {
        if (!IsInUse || count > References - Pins)
        {
            next = this;
            return false;
        }

        ulong bits = Bits - count;
        next = new PageCountWord((bits & uint.MaxValue) != 0 ? bits : (bits & ~StateMask) | FrozenBits);
        return true;
    }

    /// <summary>Drops the reference of the holder of a raw block: if others remain, the first frame stays theirs, alone.</summary>
    internal bool TryPutBlock(out PageCountWord next)
    {
        bool allowed = !IsCompound && TryPut(1, out next);
        next = !allowed ? this : new PageCountWord(Bits - 1);
        if (allowed)
        {
            next = next.References == 0
                ? new PageCountWord((next.Bits & ~StateMask) | FrozenBits)
                : new PageCountWord(next.Bits & ~OrderMask);
        }

        return allowed;
    }

    /// <summary>Makes the first frame of a raw block a page of its own, whoever holds references.</summary>
    internal bool TrySplitBlock(out PageCountWord next)
    {
        bool allowed = IsInUse && !IsCompound;
        next = allowed ? new PageCountWord(Bits & ~OrderMask) : this;
        return allowed;
    }

    /// <summary>Takes one pin. Refused unless in use, or when a count would pass its bound.</summary>
    internal bool TryPin(out PageCountWord next)
    {
        if (!IsCompound)
        {
            return TryGet(PinBias, out next);
        }

        bool allowed = Pins < MaxPins && TryGet(1, out next);
        next = allowed ? new PageCountWord(Bits + 1 + OnePin) : this;
        return allowed;
    }

    /// <summary>Drops one pin. Refused when there is none.</summary>
    internal bool TryUnpin(out PageCountWord next)
    {
        if (!IsCompound)
        {
            return TryPut(PinBias, out next);
        }

        if (Pins == 0)
        {
            next = this;
            return false;
        }

        return new PageCountWord(Bits - OnePin).TryPut(1, out next);
    }

    /// <summary>Shuts everybody out if the count is exactly what the caller can account for.</summary>
    internal bool TryFreeze(uint expected, out PageCountWord next)
    {
        bool allowed = IsInUse && References == expected && Pins == 0;
        next = allowed ? new PageCountWord(((Bits & ~StateMask) | FrozenBits) - expected) : this;
        return allowed;
    }

    /// <summary>Opens a frozen page again with a count.</summary>
    internal bool TryUnfreeze(uint references, out PageCountWord next)
    {
        bool allowed = State == PageState.Frozen && references is > 0 and <= MaxReferences;
        next = allowed ? new PageCountWord((Bits & ~StateMask) | InUseBits | references) : this;
        return allowed;
    }

    /// <summary>The word in words, for messages.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"{State}{(IsCompound ? " compound" : "")} order {Order}, {References} references, {Pins} pins";

    private static PageCountWord Of(PageState state, int order)
    {
        Debug.Assert(order is >= 0 and <= MaxOrder, "an order fits its bits");
        return new PageCountWord(((ulong)state << StateShift) | ((ulong)(uint)order << OrderShift));
    }
}
