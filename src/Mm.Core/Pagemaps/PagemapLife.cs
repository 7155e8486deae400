namespace Mm.Core.Pagemaps;

/// <summary>The life of a page map in one word: its state, who uses it, and how many of its pages hold it.</summary>
/// <remarks>
/// <code>
///  63   62 61              40 39                               0
/// | state |      users       |              pages               |
/// </code>
/// One word, because a lookup must see the state and raise the count in the same instant: were they two, a lookup could
/// read "live", the owner kill and the last reference go, and the lookup raise the count of the dead.
/// "Users" are lookups, and the owner itself until it kills the map. "Pages" are pages that hold the map: those handed
/// out, and, of kinds whose idle pages sit at one reference, the idle ones too. They are counted apart so that a
/// validator can recount them.
/// <para><b>Linux:</b> percpu_ref dev_pagemap::ref (v6.12), whose one count holds all of these.</para>
/// <para><b>Invariants:</b> (1) a live map has at least one user, its owner; (2) dead exactly when it was killed and both
/// counts are zero; (3) a refused step changes nothing; (4) users stay below 2^22, pages below 2^40, which is all the
/// frames there are.</para>
/// <para>Pure and immutable. <c>default</c> is live without an owner, which no map is: start from <see cref="Born"/>.</para>
/// </remarks>
/// <param name="Bits">The raw word.</param>
internal readonly record struct PagemapLife(ulong Bits)
{
    /// <summary>The most users at once.</summary>
    internal const ulong MaxUsers = (1UL << UserWidth) - 1;

    /// <summary>The most pages that hold the map.</summary>
    internal const ulong MaxPages = (1UL << PageWidth) - 1;

    private const int PageWidth = 40;
    private const int UserWidth = 22;
    private const int StateShift = 62;
    private const ulong OneUser = 1UL << PageWidth;
    private const ulong DyingBits = (ulong)PagemapState.Dying << StateShift;
    private const ulong DeadBits = (ulong)PagemapState.Dead << StateShift;

    /// <summary>A live map that its owner holds.</summary>
    internal static PagemapLife Born => new(OneUser);

    /// <summary>How far the life has gone.</summary>
    internal PagemapState State => (PagemapState)(Bits >> StateShift);

    /// <summary>Lookups, and the owner while the map lives.</summary>
    internal ulong Users => (Bits >> PageWidth) & MaxUsers;

    /// <summary>Pages that hold the map.</summary>
    internal ulong Pages => Bits & MaxPages;

    /// <summary>A lookup takes the map. Refused unless live, or when the count is full.</summary>
    /// <param name="next">The word with one user more.</param>
    /// <returns>Whether it may.</returns>
    internal bool TryUse(out PagemapLife next)
    {
        bool allowed = State == PagemapState.Live && Users < MaxUsers;
        next = allowed ? new PagemapLife(Bits + OneUser) : this;
        return allowed;
    }

    /// <summary>A lookup lets the map go. Refused when there is none: a live map's owner is not one.</summary>
    /// <param name="next">The word with one user less; dead if that was the last hold on a dying map.</param>
    /// <returns>Whether it may.</returns>
    internal bool TryUnuse(out PagemapLife next)
    {
        bool allowed = Users > (State == PagemapState.Live ? 1UL : 0UL);
        next = allowed ? new PagemapLife(Bits - OneUser).Settled() : this;
        return allowed;
    }

    /// <summary>Pages take the map as they are handed out. Refused unless live, or when the count would pass its bound.</summary>
    /// <param name="count">How many.</param>
    /// <param name="next">The word with that many pages more.</param>
    /// <returns>Whether they may.</returns>
    internal bool TryHold(ulong count, out PagemapLife next)
    {
        bool allowed = State == PagemapState.Live && count <= MaxPages - Pages;
        next = allowed ? new PagemapLife(Bits + count) : this;
        return allowed;
    }

    /// <summary>Somebody who acts for a page that holds the map takes a hold of his own. Refused when no page holds it.</summary>
    /// <param name="next">The word with one page more.</param>
    /// <returns>Whether he may: dying maps too, but not dead ones.</returns>
    internal bool TryHoldAgain(out PagemapLife next)
    {
        bool allowed = Pages is > 0 and < MaxPages;
        next = allowed ? new PagemapLife(Bits + 1) : this;
        return allowed;
    }

    /// <summary>Pages let the map go as they come back. Refused when there are not so many.</summary>
    /// <param name="count">How many.</param>
    /// <param name="next">The word with that many pages less; dead if those were the last hold on a dying map.</param>
    /// <returns>Whether they may.</returns>
    internal bool TryUnhold(ulong count, out PagemapLife next)
    {
        bool allowed = count <= Pages;
        next = allowed ? new PagemapLife(Bits - count).Settled() : this;
        return allowed;
    }

    /// <summary>The owner ends the map but keeps its hold, so that it cannot die before the owner has done its part.</summary>
    /// <param name="next">The word, dying.</param>
    /// <returns>False unless live.</returns>
    internal bool TryKill(out PagemapLife next)
    {
        bool allowed = State == PagemapState.Live;
        next = allowed ? new PagemapLife(Bits | DyingBits) : this;
        return allowed;
    }

    /// <summary>The word in words, for messages.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{State}, {Users} users, {Pages} pages";

    // Dying with nothing left is dead: the same step that drops the last hold says so.
    private PagemapLife Settled() => Bits == DyingBits ? new PagemapLife(DeadBits) : this;
}
