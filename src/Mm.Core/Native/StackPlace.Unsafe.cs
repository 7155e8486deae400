using System.Runtime.CompilerServices;

namespace Mm.Core.Native;

/// <summary>Where the running thread's stack is, roughly: a number that threads which run at once seldom share.</summary>
/// <remarks>
/// A hint to be confirmed, never an identity: what it costs is one instruction, where asking for the thread costs a chain
/// of loads.
/// </remarks>
internal static unsafe class StackPlace
{
    private const int Shift = 18; // stacks are megabytes apart; calls within 256 KiB of each other mostly agree
    private const int Fold = 5; // stacks are often powers of two apart: what lies above shows in the low bits too

    /// <summary>The place.</summary>
    /// <returns>The number; callers use its low bits.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Current()
    {
        // SAFETY: the address is taken of a local and only computed with; nothing is read through it.
        byte local;
        return Of((nuint)(&local));
    }

    /// <summary>The place of an address.</summary>
    /// <param name="address">Where on a stack.</param>
    /// <returns>The number.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static uint Of(nuint address)
    {
        // Unchecked: the high bits count for nothing.
        uint place = unchecked((uint)(address >> Shift));
        return unchecked(place + (place >> Fold));
    }
}
