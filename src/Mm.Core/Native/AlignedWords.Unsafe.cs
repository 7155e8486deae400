using System.Runtime.InteropServices;

namespace Mm.Core.Native;

/// <summary>An array of 64-bit integers that starts on a cache line, so that a block of eight never straddles two.</summary>
/// <remarks>
/// Memory of the garbage collector, pinned: a reader on another thread may hold it for as long as it likes, which
/// native memory would have to be told of.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class AlignedWords
{
    private const int LineBytes = 64;

    private readonly long[] array;
    private readonly int first;

    internal AlignedWords(int length)
    {
        Length = length;
        array = GC.AllocateUninitializedArray<long>(length + (LineBytes / sizeof(long)), pinned: true);

        // SAFETY: the address is only reduced to a distance, never dereferenced; the array is pinned for life, so the
        // distance stays right.
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(array, 0);
        first = (int)((LineBytes - (address & (LineBytes - 1))) % LineBytes / sizeof(long));
    }

    internal int Length { get; }

    internal Span<long> Span => array.AsSpan(first, Length);
}
