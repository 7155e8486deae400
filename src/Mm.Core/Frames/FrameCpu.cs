using System.Runtime.CompilerServices;
using Mm.Core.Locking;

namespace Mm.Core.Frames;

/// <summary>One processor as the allocator sees it: a thread, its stacks of free pages, and whether it is about to pin.</summary>
/// <remarks>
/// Owns the free pages on its stacks. A thread stands for a processor: Mm cannot keep a thread from being moved in the
/// middle of an operation, as preempt_disable does, so stacks of real processors would need a lock's atomic operation
/// twice a pair, which costs as much as the whole rest of it.
/// <para><b>Linux:</b> struct per_cpu_pages and its lock; PF_MEMALLOC_PIN of the task (v6.12).</para>
/// <para><b>Invariants:</b> (1) the stacks change only between <see cref="TryEnter"/> and <see cref="Exit"/> of the owner,
/// or by a visitor between <see cref="Visit"/> and the end of its visit; never both.</para>
/// <para><b>Locking:</b> biased to the owner, who pays two plain stores. A visitor takes the gate, raises
/// <c>visited</c>, makes every running thread pass a fence, and waits until the owner is out. An owner that finds
/// <c>visited</c> raised waits at the gate.</para>
/// </remarks>
internal sealed class FrameCpu
{
    /// <summary>How many stacks a zone has: one for each mobility, one for movable blocks of a pageblock's size.</summary>
    internal const int StacksPerZone = 1 << StacksPerZoneShift;

    /// <summary>The same as a power of two.</summary>
    internal const int StacksPerZoneShift = 2;

    /// <summary>Which of a zone's stacks holds blocks of a pageblock's size.</summary>
    internal const int LargeStack = 3;

    private const uint NoRequest = uint.MaxValue; // no request has all bits set

    // Which processor the running thread is, of the allocator it used last: like smp_processor_id, it belongs to the
    // thread. A cache and no more: whoever finds another allocator's here asks its own table by thread id, which is a
    // few ns slower (Environment.CurrentManagedThreadId alone costs as much as a whole get).
    [ThreadStatic]
    private static FrameCpu? current;

    private readonly FrameStack?[] stacks;
    private readonly object home;
    private readonly RankedLock gate = new(LockRank.PerCpuPages);
    private int busy; // written by the owner; its store pairs with the fence in Visit
    private int visited; // written by a visitor; its store pairs with the owner's read after its store of busy

    internal FrameCpu(object home, int stackCount)
    {
        this.home = home;
        stacks = new FrameStack?[stackCount];
    }

    /// <summary>How many pin scopes the thread is in. Read and written by the owner alone.</summary>
    internal int PinDepth { get; private set; }

    /// <summary>The request served last from a stack, outside pin scopes. Read and written by the owner alone.</summary>
    internal uint LastRequest { get; private set; } = NoRequest;

    /// <summary>The stack that the last request was served from. Read and written by the owner alone.</summary>
    internal FrameStack? LastTaken { get; private set; }

    /// <summary>The stack that took a block back last. Read and written by the owner alone.</summary>
    internal FrameStack? LastReturned { get; set; }

    /// <summary>Pages taken by the owner past the stacks, ever. Written while busy.</summary>
    internal long TakenPast { get; set; }

    /// <summary>Pages put back by the owner past the stacks, ever. Written while busy.</summary>
    internal long ReturnedPast { get; set; }

    /// <summary>The stacks, by zone key and kind; null where none was needed yet.</summary>
    internal ReadOnlySpan<FrameStack?> Stacks => stacks;

    /// <summary>The processor that the running thread is, if that is known at once.</summary>
    /// <param name="home">What tells the allocator's processors from those of others: compared, and kept by a thread after
    /// the allocator's end, so a small object.</param>
    /// <returns>The processor; null: ask the table, and <see cref="MakeCurrent"/>.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static FrameCpu? TryCurrent(object home)
    {
        FrameCpu? cpu = current;
        return cpu is not null && ReferenceEquals(cpu.home, home) ? cpu : null;
    }

    /// <summary>Whether a processor is the one that the running thread was last.</summary>
    /// <param name="cpu">The processor.</param>
    /// <returns>Whether it is.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool IsCurrent(FrameCpu cpu) => ReferenceEquals(cpu, current);

    /// <summary>Remembers this as the running thread's processor.</summary>
    internal void MakeCurrent() => current = this;

    /// <summary>Remembers which stack serves a request.</summary>
    /// <param name="request">The raw request.</param>
    /// <param name="stack">The stack.</param>
    internal void RememberTaken(uint request, FrameStack stack)
    {
        LastTaken = stack;
        LastRequest = request;
    }

    /// <summary>A stack, if it was made. The caller is inside.</summary>
    /// <param name="index">Which; one that is none gives null.</param>
    /// <returns>The stack.</returns>
    internal FrameStack? FindStack(int index) => index < stacks.Length ? stacks[index] : null;

    /// <summary>A stack, made when it is first wanted. The caller is inside.</summary>
    /// <param name="index">Which.</param>
    /// <returns>The stack.</returns>
    internal FrameStack StackAt(int index) => stacks[index] ??= MakeStack(index);

    /// <summary>Opens a pin scope, as the owner.</summary>
    internal void EnterPinScope()
    {
        PinDepth++;
        LastRequest = NoRequest; // the next request is looked at anew
    }

    /// <summary>Ends a pin scope, as the owner.</summary>
    /// <exception cref="InvalidOperationException">None is open.</exception>
    internal void LeavePinScope() =>
        PinDepth = PinDepth > 0
            ? PinDepth - 1
            : throw new InvalidOperationException("a pin scope ends once; no scope of this thread is open");

    /// <summary>Sums up the processor. The caller is inside.</summary>
    /// <returns>Pages on the stacks, pages handed out ever, pages that came back ever.</returns>
    internal (long OnStacks, long Taken, long Returned) Sum()
    {
        long onStacks = 0;
        long taken = TakenPast;
        long returned = ReturnedPast;
        foreach (FrameStack? stack in stacks)
        {
            if (stack is not null)
            {
                onStacks += (long)stack.Count << stack.Order;
                taken += stack.Taken << stack.Order;
                returned += stack.Returned << stack.Order;
            }
        }

        return (onStacks, taken, returned);
    }

    /// <summary>Enters as the owner, waiting for a visitor to leave.</summary>
    internal void Enter()
    {
        while (!TryEnter())
        {
            // The visitor holds the gate until it is done.
            gate.Enter().Dispose();
        }
    }

    /// <summary>Enters as the owner.</summary>
    /// <returns>False while a visitor is inside: the owner is not.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryEnter()
    {
        Volatile.Write(ref busy, 1);
        if (Volatile.Read(ref visited) == 0)
        {
            return true;
        }

        Volatile.Write(ref busy, 0);
        return false;
    }

    /// <summary>Leaves as the owner.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit() => Volatile.Write(ref busy, 0); // release: pairs with the visitor's wait

    /// <summary>Enters as somebody else, waiting for the owner to leave.</summary>
    /// <returns>The visit; disposing it leaves.</returns>
    internal VisitScope Visit()
    {
        RankedLock.Guard guard = gate.Enter();
        Volatile.Write(ref visited, 1);

        // After this every thread has either made its store of busy visible or will see visited. It costs microseconds,
        // which is why the owner's side costs nothing.
        Interlocked.MemoryBarrierProcessWide();
        var wait = default(SpinWait);
        while (Volatile.Read(ref busy) != 0)
        {
            wait.SpinOnce();
        }

        return new VisitScope(this, guard);
    }

    private static FrameStack MakeStack(int index)
    {
        int zoneKey = index / StacksPerZone;
        int kind = index % StacksPerZone;
        return kind == LargeStack
            ? new FrameStack(zoneKey, MigrateType.Movable, Pageblocks.Order)
            : new FrameStack(zoneKey, (MigrateType)kind, 0);
    }

    /// <summary>A visitor's stay.</summary>
    internal readonly ref struct VisitScope
    {
        private readonly FrameCpu cpu;
        private readonly RankedLock.Guard guard;

        internal VisitScope(FrameCpu cpu, RankedLock.Guard guard)
        {
            this.cpu = cpu;
            this.guard = guard;
        }

        /// <summary>Leaves as a visitor.</summary>
        public void Dispose()
        {
            Volatile.Write(ref cpu.visited, 0);
            guard.Dispose();
        }
    }
}
