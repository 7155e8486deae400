using System.Runtime.InteropServices;
using Mm.Core;

namespace Mm.Hmm.Faulting;

/// <summary>What a range fault is asked, and what it answers, for one page: a frame with its rights, in one word.</summary>
/// <remarks>
/// <code>
///  63  62  61 60      56 55                                          0
/// | V | W | E |  order  |              frame number                   |
/// </code>
/// V valid, W writable, E error; on the way in V asks for a fault and W for a writable one. Flags come above the frame, so
/// that the whole words of a plain snapshot are made by vectors; <c>PageTables.Snapshot</c> of Mm.Core writes this very
/// layout.
/// <para><b>Linux:</b> enum hmm_pfn_flags, hmm_pfn_to_page and hmm_pfn_to_map_order (include/linux/hmm.h, v6.12).</para>
/// <para><b>Invariants:</b> (1) what is writable is valid; (2) what is an error is nothing else; (3) what is not valid has
/// no frame and no order.</para>
/// <para>The frame is not referenced: it is good only as long as the notifier's sequence says so.</para>
/// <para><c>default</c> asks for nothing, and answers that nothing is there. Immutable.</para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 8)]
public readonly record struct HmmPfn
{
    /// <summary>The largest order of a mapping that the word can say.</summary>
    public const int MaxOrder = (1 << OrderWidth) - 1;

    internal const int OrderShift = 56;
    internal const int OrderWidth = 5;

    private const ulong ValidBit = 1UL << 63;
    private const ulong WriteBit = 1UL << 62;
    private const ulong ErrorBit = 1UL << 61;
    private const ulong FrameMask = (1UL << OrderShift) - 1;

    internal HmmPfn(ulong bits) => Bits = bits;

    /// <summary>Answer: nothing is mapped. Request: say what is there, fault nothing.</summary>
    public static HmmPfn None => default;

    /// <summary>Answer: no access is possible, and the device should fail.</summary>
    public static HmmPfn Error => new(ErrorBit);

    /// <summary>Request: make the page readable.</summary>
    public static HmmPfn RequestFault => new(ValidBit);

    /// <summary>Request: make the page writable.</summary>
    public static HmmPfn RequestWrite => new(ValidBit | WriteBit);

    /// <summary>Whether the page may be read.</summary>
    public bool IsValid => (Bits & ValidBit) != 0;

    /// <summary>Whether the page may be written.</summary>
    public bool IsWritable => (Bits & WriteBit) != 0;

    /// <summary>Whether no access is possible.</summary>
    public bool IsError => (Bits & ErrorBit) != 0;

    /// <summary>Whether a request wants the page readable at least.</summary>
    public bool WantsFault => (Bits & ValidBit) != 0;

    /// <summary>Whether a request wants the page writable.</summary>
    public bool WantsWrite => (Bits & WriteBit) != 0;

    /// <summary>The frame; <see cref="Pfn.Zero"/> unless valid.</summary>
    public Pfn Frame => new(Bits & FrameMask);

    /// <summary>The order of the CPU's mapping that the page is part of, which starts at an address aligned to it: maybe before the page.</summary>
    public int MapOrder => (int)((Bits >> OrderShift) & MaxOrder);

    /// <summary>The raw word.</summary>
    internal ulong Bits { get; }

    /// <summary>An answer: a page that may be read.</summary>
    /// <param name="frame">The page.</param>
    /// <param name="mapOrder">The order of the mapping that it is part of.</param>
    /// <returns>The word.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no address, or the order passes <see cref="MaxOrder"/>.</exception>
    public static HmmPfn Readable(Pfn frame, int mapOrder = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frame, Pfn.MaxValue);
        ArgumentOutOfRangeException.ThrowIfNegative(mapOrder);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mapOrder, MaxOrder);
        return new HmmPfn(ValidBit | ((ulong)(uint)mapOrder << OrderShift) | frame.Value);
    }

    /// <summary>An answer: a page that may be read and written.</summary>
    /// <param name="frame">The page.</param>
    /// <param name="mapOrder">The order of the mapping that it is part of.</param>
    /// <returns>The word.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The frame has no address, or the order passes <see cref="MaxOrder"/>.</exception>
    public static HmmPfn Writable(Pfn frame, int mapOrder = 0) => new(Readable(frame, mapOrder).Bits | WriteBit);

    /// <summary>The request for a page of a range: what was asked for this page, as far as the range lets pages ask, and what is asked for all.</summary>
    /// <param name="mask">Which of the page's wishes count.</param>
    /// <param name="forAll">What every page is asked.</param>
    /// <returns>The request.</returns>
    /// <remarks><b>Linux:</b> pfn_flags_mask and default_flags of struct hmm_range (v6.12).</remarks>
    public HmmPfn Asked(HmmPfn mask, HmmPfn forAll) => new((Bits & mask.Bits) | forAll.Bits);

    /// <summary>Whether this answer leaves nothing of a request open: no fault is needed.</summary>
    /// <param name="request">The request. One that wants a write and no fault wants nothing, as in Linux.</param>
    /// <returns>Whether it does.</returns>
    /// <remarks><b>Linux:</b> hmm_pte_need_fault (mm/hmm.c, v6.12), answered the other way round.</remarks>
    public bool Meets(HmmPfn request) =>
        !request.WantsFault || (IsValid && (IsWritable || !request.WantsWrite));

    /// <summary>The word in words: <c>pfn 0x1000 rw order 9</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        if (!IsValid)
        {
            return IsError ? "error" : "none";
        }

        return $"{Frame} {(IsWritable ? "rw" : "r")}{(MapOrder == 0 ? "" : $" order {MapOrder}")}";
    }
}
