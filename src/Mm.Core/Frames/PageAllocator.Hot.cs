using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Mm.Core.Checks;

namespace Mm.Core.Frames;

// The facet of the straight way: a page, or a movable block of a pageblock's size, from the thread's own stack and back.
// It tries the stack that served last and compares whole words; what does not fit goes the general way (Paths). The one
// locked operation of a pair is the put's compare-exchange, because a get through the frame's number may come in between.
public sealed partial class PageAllocator
{
    private const ulong NoToken = ulong.MaxValue; // no lease has it: tokens leave the highest bits zero

    /// <summary>Drops the only reference to a page, or to a folio of a pageblock's size, that is RAM.</summary>
    /// <param name="token">What the lease remembers.</param>
    /// <returns>Whether it is done; if not, nothing has changed.</returns>
    internal bool TryPutHot(PageToken token)
    {
        FrameCpu cpu = CurrentCpu();
        ulong frame = token.Frame;
        if (frame >= pages.Capacity)
        {
            return false;
        }

        ref PageMeta meta = ref pages[frame];
        ulong word = Volatile.Read(ref meta.Count);
        FrameStack? stack = cpu.LastReturned;
        if (stack is null || word != stack.SoleWord || meta.Flags != stack.CleanFlags || blocks.TypeOf(frame) != stack.Type)
        {
            stack = StackForPut(cpu, frame, ref meta);
        }

        // The token's bits above the generation are zero but for raw blocks.
        if (stack is null || token.Bits >> PageToken.FrameWidth != meta.Generation || !cpu.TryEnter())
        {
            return false;
        }

        if (stack.IsFull || Interlocked.CompareExchange(ref meta.Count, stack.FrozenWord, stack.SoleWord) != stack.SoleWord)
        {
            cpu.Exit();
            return false;
        }

        // Frozen: nobody else writes the page from here on, and what others wrote before is visible.
        if (!IsClean(ref meta))
        {
            cpu.Exit();
            Free(frame, ref meta, stack.Order);
            return true;
        }

        meta.Generation = unchecked((ushort)(meta.Generation + 1)); // wraps: a lease is not that old
        meta.Count = stack.FreeWord;
        stack.Push(frame);
        cpu.Exit();
        return true;
    }

    // The token of a page, or NoToken: there is none (ENOMEM).
    private ulong Take(AllocationRequest request)
    {
        FrameCpu cpu = CurrentCpu();
        FrameStack? stack = request.Bits == cpu.LastRequest ? cpu.LastTaken : StackForTake(cpu, request);
        if (stack is null || faults.IsOn || !cpu.TryEnter())
        {
            return TakeOther(request);
        }

        bool isFound = stack.TryPop(out ulong frame);
        cpu.Exit();
        if (!isFound)
        {
            return TakeOther(request);
        }

        ulong token = HandOut(frame, stack.FreeWord, stack.SoleWord).Bits;
        if (Check.Enabled)
        {
            Fill(frame, request);
        }

        return token;
    }

    // The stack that has what is asked for; null: none, or not so simple.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private FrameStack? StackForTake(FrameCpu cpu, AllocationRequest request)
    {
        uint wish = request.Bits & AllocationRequest.WishMask;
        int plan = request.Plan;
        if (wish is not (0 or Pageblocks.Order) || plan >= firstStacks.Length || cpu.PinDepth != 0)
        {
            return null;
        }

        FrameStack? stack = cpu.FindStack(wish == 0 ? firstStacks[plan] : largeStacks[plan]);
        if (stack is not null)
        {
            cpu.RememberTaken(request.Bits, stack);
        }

        return stack;
    }

    // The stack that a block with one reference goes back to; null: none, or not so simple.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private FrameStack? StackForPut(FrameCpu cpu, ulong frame, ref PageMeta meta)
    {
        var word = new PageCountWord(Volatile.Read(ref meta.Count));
        var flags = new PageFlagsWord(meta.Flags);
        int index = flags.Pagemap == 0 ? StackForFree(frame, word.Order, flags.ZoneKey) : NoStack;
        FrameStack? stack = cpu.FindStack(index);
        if (stack is null || word.Bits != stack.SoleWord)
        {
            return null;
        }

        cpu.LastReturned = stack;
        return stack;
    }

    // Special wishes, pin scopes, planned failures, orders without stacks, and stacks that ran empty.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong TakeOther(AllocationRequest request)
    {
        if (!TryFind(request, CurrentCpu(), out ulong frame).IsOk)
        {
            return NoToken;
        }

        int order = request.Order;
        PageToken token = HandOut(frame, PageCountWord.PerCpu(order).Bits, PageCountWord.Folio(order).Bits);
        Fill(frame, request);
        return token.Bits;
    }

    // Writes the word last: a get that comes through the frame's number sees a free page, or the page as it will be.
    // The rest of the metadata was cleaned when the block was freed, or linked into its zone.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private PageToken HandOut(ulong frame, ulong expected, ulong word)
    {
        ref PageMeta meta = ref pages[frame];
        if (meta.Count != expected)
        {
            ThrowNotFree(frame, new PageCountWord(expected));
        }

        Volatile.Write(ref meta.Count, word); // release: pairs with the acquire of every get
        return new PageToken(frame, meta.Generation);
    }

    // Whether a frozen block needs nothing but a new generation to be free.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool IsClean(ref PageMeta meta) =>
        ((meta.Mapping | meta.MapCount | meta.Next | meta.Previous | meta.Index | meta.Private)
            | (meta.Flags & PageFlagsWord.NotZoneMask)) == 0;

    [MethodImpl(MethodImplOptions.NoInlining)]
    [DoesNotReturn]
    private void ThrowNotFree(ulong frame, PageCountWord expected) =>
        Check.That(
            false,
            $"invariant 1: {new Pfn(frame)} comes from a stack or zone as {expected}, but is "
            + $"{new PageCountWord(pages[frame].Count)}");
}
