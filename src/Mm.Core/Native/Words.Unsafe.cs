using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Mm.Core.Checks;

namespace Mm.Core.Native;

/// <summary>Spans of words seen as the 64-bit integers they consist of, and as vectors of them.</summary>
/// <remarks>
/// Reinterprets; copies nothing. The spans live as long as the ones they were made of, and no longer.
/// <para><b>Invariants:</b> (1) <see cref="Pfn"/> is one 64-bit integer and <see cref="PhysRange"/> is two, start and
/// length; <c>WordsTests</c> holds that.</para>
/// </remarks>
internal static class Words
{
    // SAFETY: (1) above makes the casts exact; MemoryMarshal.Cast rounds the length down and needs no alignment
    // on the processors that .NET runs on, where vector loads from spans are emitted as unaligned ones.

    internal static ReadOnlySpan<ulong> Of(ReadOnlySpan<Pfn> frames) => MemoryMarshal.Cast<Pfn, ulong>(frames);

    internal static ReadOnlySpan<ulong> Of(ReadOnlySpan<PhysRange> ranges) => MemoryMarshal.Cast<PhysRange, ulong>(ranges);

    internal static Span<ulong> Of(Span<PhysRange> ranges) => MemoryMarshal.Cast<PhysRange, ulong>(ranges);

    // For words of other assemblies; the size is looked at, since no test here can hold it.
    // SAFETY: only the size of a type is asked; no pointer is made.
    internal static unsafe Span<ulong> Of<T>(Span<T> words)
        where T : unmanaged
    {
        Check.That(sizeof(T) == sizeof(ulong), "a word is one 64-bit integer");
        return MemoryMarshal.Cast<T, ulong>(words);
    }

    internal static ReadOnlySpan<Vector128<ulong>> AsVector128(ReadOnlySpan<ulong> words) =>
        MemoryMarshal.Cast<ulong, Vector128<ulong>>(words);

    internal static ReadOnlySpan<Vector256<ulong>> AsVector256(ReadOnlySpan<ulong> words) =>
        MemoryMarshal.Cast<ulong, Vector256<ulong>>(words);

    internal static ReadOnlySpan<Vector512<ulong>> AsVector512(ReadOnlySpan<ulong> words) =>
        MemoryMarshal.Cast<ulong, Vector512<ulong>>(words);

    internal static Span<Vector128<ulong>> AsVector128(Span<ulong> words) => MemoryMarshal.Cast<ulong, Vector128<ulong>>(words);

    internal static Span<Vector512<ulong>> AsVector512(Span<ulong> words) => MemoryMarshal.Cast<ulong, Vector512<ulong>>(words);

    internal static ReadOnlySpan<VectorPair256> AsVectorPair256(ReadOnlySpan<ulong> words) =>
        MemoryMarshal.Cast<ulong, VectorPair256>(words);

    internal static Span<VectorPair256> AsVectorPair256(Span<ulong> words) => MemoryMarshal.Cast<ulong, VectorPair256>(words);
}
