using System.Runtime.CompilerServices;

namespace Mm.Core.Frames;

/// <summary>The one compare-and-swap loop over count words, and the steps it is used with.</summary>
/// <remarks>
/// What the steps do is <see cref="PageCountWord"/>'s, tested without threads; only this loop needs them.
/// <para><b>Locking:</b> none. The successful exchange is a full fence: the release of a put pairs with the acquire of
/// the get, pin, freeze or last put that follows it on the same word.</para>
/// </remarks>
internal static class PageTransitions
{
    /// <summary>Applies a step to a word in place, until it takes effect or is refused.</summary>
    /// <typeparam name="T">The step.</typeparam>
    /// <param name="slot">The word.</param>
    /// <param name="step">The step.</param>
    /// <param name="after">The word after the step, or the word that refused it.</param>
    /// <returns>Whether it took effect.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryUpdate<T>(ref ulong slot, T step, out PageCountWord after)
        where T : struct, IPageTransition
    {
        ulong seen = Volatile.Read(ref slot);
        while (step.TryApply(new PageCountWord(seen), out after))
        {
            ulong found = Interlocked.CompareExchange(ref slot, after.Bits, seen);
            if (found == seen)
            {
                return true;
            }

            seen = found;
        }

        return false;
    }

    /// <summary>Takes references.</summary>
    /// <param name="Count">How many.</param>
    internal readonly record struct Get(uint Count) : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryGet(Count, out next);
    }

    /// <summary>Drops references.</summary>
    /// <param name="Count">How many.</param>
    internal readonly record struct Put(uint Count) : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryPut(Count, out next);
    }

    /// <summary>Drops the reference of the holder of a raw block.</summary>
    internal readonly record struct PutBlock : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryPutBlock(out next);
    }

    /// <summary>Makes the first frame of a raw block a page of its own.</summary>
    internal readonly record struct SplitBlock : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TrySplitBlock(out next);
    }

    /// <summary>Takes one pin.</summary>
    internal readonly record struct Pin : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryPin(out next);
    }

    /// <summary>Drops one pin.</summary>
    internal readonly record struct Unpin : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryUnpin(out next);
    }

    /// <summary>Takes a reference through a tail: refused when the head no longer reaches that far.</summary>
    /// <param name="MinOrder">The least order whose block reaches the tail.</param>
    /// <param name="IsPin">Whether to pin rather than reference.</param>
    internal readonly record struct GetThroughTail(int MinOrder, bool IsPin) : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next)
        {
            if (!current.IsCompound || current.Order < MinOrder)
            {
                next = current;
                return false;
            }

            return IsPin ? current.TryPin(out next) : current.TryGet(1, out next);
        }
    }

    /// <summary>Shuts everybody out if the count is what is expected.</summary>
    /// <param name="Expected">The count.</param>
    internal readonly record struct Freeze(uint Expected) : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryFreeze(Expected, out next);
    }

    /// <summary>Opens a frozen page.</summary>
    /// <param name="References">The count it gets.</param>
    internal readonly record struct Unfreeze(uint References) : IPageTransition
    {
        /// <inheritdoc/>
        public bool TryApply(PageCountWord current, out PageCountWord next) => current.TryUnfreeze(References, out next);
    }
}
