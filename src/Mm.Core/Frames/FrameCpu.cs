using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Mm.Core.Frames;

/// <summary>One processor as the allocator sees it: a thread, its stacks of free pages, and whether it is about to pin.</summary>
/// <remarks>
/// Owns the free pages on its stacks. A thread stands for a processor: Mm cannot keep a thread from being moved in the
/// middle of an operation, as preempt_disable does, so stacks of real processors would need a lock's atomic operation
/// twice a pair, which costs as much as the whole rest of it.
/// <para><b>Linux:</b> struct per_cpu_pages and its lock; PF_MEMALLOC_PIN of the task (v6.12).</para>
/// <para><b>Invariants:</b> (1) the stacks change only between <see cref="TryEnter"/> and <see cref="Exit"/> of the owner,
/// or by a visitor between <see cref="Visit"/> and <see cref="Leave"/>; never both.</para>
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

    private readonly FrameStack?[] stacks;
    private readonly Lock gate = new();
    private int busy; // written by the owner; its store pairs with the fence in Visit
    private int visited; // written by a visitor; its store pairs with the owner's read after its store of busy

    internal FrameCpu(int stackCount) => stacks = new FrameStack?[stackCount];

    /// <summary>How many pin scopes the thread is in. Read and written by the owner alone.</summary>
    internal int PinDepth { get; private set; }

    /// <summary>Pages taken by the owner, ever. Written while busy.</summary>
    internal long Taken { get; set; }

    /// <summary>Pages put back by the owner, ever. Written while busy.</summary>
    internal long Returned { get; set; }

    /// <summary>The stacks, by zone key and kind; null where none was needed yet.</summary>
    internal ReadOnlySpan<FrameStack?> Stacks => stacks;

    /// <summary>Takes the newest frame of a stack, as the owner.</summary>
    /// <param name="index">Which stack.</param>
    /// <param name="pages">How many pages a frame stands for.</param>
    /// <param name="frame">The frame's number.</param>
    /// <returns>Whether there was one; false also while a visitor is inside.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPop(int index, int pages, out ulong frame)
    {
        frame = 0;
        if (!TryEnter())
        {
            return false;
        }

        bool isFound = false;
        FrameStack? stack = stacks[index];
        if (stack is not null && stack.Count != 0)
        {
            frame = stack.Pop();
            Taken += pages;
            isFound = true;
        }

        Exit();
        return isFound;
    }

    /// <summary>Puts a frame on a stack, as the owner.</summary>
    /// <param name="index">Which stack.</param>
    /// <param name="frame">The frame's number.</param>
    /// <param name="pages">How many pages the frame stands for.</param>
    /// <param name="high">How many frames the stack may hold.</param>
    /// <returns>Whether it is there; false when the stack is full or new, and while a visitor is inside.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryPush(int index, ulong frame, int pages, int high)
    {
        if (!TryEnter())
        {
            return false;
        }

        bool isPushed = false;
        FrameStack? stack = stacks[index];
        if (stack is not null && stack.Count < high)
        {
            stack.Push(frame);
            Returned += pages;
            isPushed = true;
        }

        Exit();
        return isPushed;
    }

    /// <summary>A stack, made when it is first wanted. The caller is inside.</summary>
    /// <param name="index">Which.</param>
    /// <returns>The stack.</returns>
    internal FrameStack StackAt(int index) => stacks[index] ??= new FrameStack();

    /// <summary>Opens a pin scope, as the owner.</summary>
    internal void EnterPinScope() => PinDepth++;

    /// <summary>Ends a pin scope, as the owner.</summary>
    /// <exception cref="InvalidOperationException">None is open.</exception>
    internal void LeavePinScope() =>
        PinDepth = PinDepth > 0
            ? PinDepth - 1
            : throw new InvalidOperationException("a pin scope ends once; no scope of this thread is open");

    /// <summary>How many pages are on the stacks. The caller is inside.</summary>
    /// <returns>The pages.</returns>
    internal ulong CountPages()
    {
        ulong pages = 0;
        for (int index = 0; index < stacks.Length; index++)
        {
            int order = index % StacksPerZone == LargeStack ? Pageblocks.Order : 0;
            pages += (ulong)(stacks[index]?.Count ?? 0) << order;
        }

        return pages;
    }

    /// <summary>Enters as the owner, waiting for a visitor to leave.</summary>
    internal void Enter()
    {
        while (!TryEnter())
        {
            // The visitor holds the gate until it is done.
            gate.Enter();
            gate.Exit();
        }
    }

    /// <summary>Leaves as the owner.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Exit() => Volatile.Write(ref busy, 0); // release: pairs with the visitor's wait

    /// <summary>Enters as somebody else, waiting for the owner to leave.</summary>
    [SuppressMessage("Usage", "MA0168", Justification = "Leave is the other half, as with the lock it holds.")]
    internal void Visit()
    {
        gate.Enter();
        Volatile.Write(ref visited, 1);

        // After this every thread has either made its store of busy visible or will see visited. It costs microseconds,
        // which is why the owner's side costs nothing.
        Interlocked.MemoryBarrierProcessWide();
        var wait = default(SpinWait);
        while (Volatile.Read(ref busy) != 0)
        {
            wait.SpinOnce();
        }
    }

    /// <summary>Leaves as a visitor.</summary>
    internal void Leave()
    {
        Volatile.Write(ref visited, 0);
        gate.Exit();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool TryEnter()
    {
        Volatile.Write(ref busy, 1);
        if (Volatile.Read(ref visited) == 0)
        {
            return true;
        }

        Volatile.Write(ref busy, 0);
        return false;
    }
}
