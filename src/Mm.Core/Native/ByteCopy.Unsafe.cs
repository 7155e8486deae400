using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mm.Core.Native;

/// <summary>Copies bytes: plainly, or past the caches.</summary>
/// <remarks>
/// Non-temporal stores leave the caches to others and save the read of the destination's lines; they pay from some
/// hundred KiB on, or for pages that nobody reads soon. For a list of pages use <see cref="CopyRun"/>, which also fetches
/// the next page ahead: on random 4 KiB pages that is worth more than the stores.
/// <para><b>Linux:</b> copy_highpage and copy_mc_to_kernel (v6.12); memcpy_flushcache for the non-temporal way.</para>
/// <para><b>Invariants:</b> (1) no byte outside the destination changes, whatever the lengths and alignments; (2) all
/// vector widths give the same bytes.</para>
/// <para><b>Locking:</b> none; two copies into one destination mix.</para>
/// </remarks>
public static unsafe class ByteCopy
{
    private const ulong Step = 256; // bytes a turn of the loops: four cache lines, enough stores in flight
    private const ulong Line = 64;
    private const int MinLength = (int)(Step + Line); // below, head and tail could leave no body

    // Of longer pieces none is fetched ahead: it would push out what is being copied, and the processor follows a long piece by itself.
    private const int MaxAhead = 16 << 10;

    /// <summary>Copies; the spans may overlap, and the destination ends up with what the source held.</summary>
    /// <param name="source">What to copy.</param>
    /// <param name="destination">Where to; as long as the source.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Plain(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        RequireEqualLengths(source, destination);
        source.CopyTo(destination);
    }

    /// <summary>Copies past the caches. The bytes are visible to other threads when the call returns.</summary>
    /// <param name="source">What to copy.</param>
    /// <param name="destination">Where to; as long as the source, sharing no byte with it.</param>
    /// <exception cref="ArgumentException">The lengths differ, or the spans overlap.</exception>
    public static void NonTemporal(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        NonTemporalUnfenced(Vectors.Level, source, destination, next: default);
        Fence();
    }

    /// <summary>Copies past the caches without making the bytes visible to others yet: <see cref="Fence"/> does that, once for many.</summary>
    /// <param name="level">Which twin to use.</param>
    /// <param name="source">What to copy.</param>
    /// <param name="destination">Where to; as long as the source, sharing no byte with it.</param>
    /// <param name="next">What will be copied next, fetched ahead on the way unless it is long; may be empty.</param>
    /// <exception cref="ArgumentException">The lengths differ, or the spans overlap.</exception>
    internal static void NonTemporalUnfenced(
        VectorLevel level, ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> next)
    {
        RequireEqualLengths(source, destination);
        if (source.Overlaps(destination))
        {
            ThrowOverlap(source.Length);
        }

        if (level == VectorLevel.Scalar || source.Length < MinLength)
        {
            source.CopyTo(destination);
            return;
        }

        next = next.Length > MaxAhead ? default : next;

        // SAFETY: (1) fixed keeps all three in place while their addresses are used, alignment included; (2) head and
        // body are cut from the spans, so the loops end inside them; (3) the body of the destination starts at a line,
        // as aligned stores ask, and is a multiple of Step; (4) next is only prefetched.
        fixed (byte* from = source, to = destination, ahead = next)
        {
            int head = (int)(unchecked(0UL - (ulong)to) & (Line - 1)); // wraps on purpose: distance up to alignment
            int body = (source.Length - head) & ~((int)Step - 1);
            source[..head].CopyTo(destination);
            CopyBody(level, from + head, to + head, (ulong)body, ahead, (ulong)next.Length);
            source[(head + body)..].CopyTo(destination[(head + body)..]);
        }
    }

    /// <summary>Makes non-temporal stores visible to other threads, before whatever this thread stores next.</summary>
    internal static void Fence()
    {
        if (Sse.IsSupported)
        {
            Sse.StoreFence();
        }
        else
        {
            Interlocked.MemoryBarrier();
        }
    }

    /// <summary>Fetches bytes ahead; changes nothing.</summary>
    /// <param name="bytes">The bytes.</param>
    internal static void Prefetch(ReadOnlySpan<byte> bytes)
    {
        if (!Sse.IsSupported || bytes.Length > MaxAhead)
        {
            return;
        }

        // SAFETY: (1) fixed keeps the bytes in place; (2) a prefetch never faults and reads nothing visible.
        fixed (byte* start = bytes)
        {
            for (ulong offset = 0; offset < (ulong)bytes.Length; offset += Line)
            {
                Sse.Prefetch0(start + offset);
            }
        }
    }

    private static void CopyBody(
        VectorLevel level, byte* from, byte* to, ulong count, byte* ahead, ulong aheadCount)
    {
        switch (level)
        {
            case VectorLevel.Vector512:
                Copy512(from, to, count, ahead, aheadCount);
                break;
            case VectorLevel.Vector256:
                Copy256(from, to, count, ahead, aheadCount);
                break;
            default:
                Copy128(from, to, count, ahead, aheadCount);
                break;
        }
    }

    // SAFETY (of the three loops): count is a multiple of Step, both blocks have count bytes, `to` is aligned to a line.
    // The additions cannot overflow: every offset lies in a span.
    private static void Copy512(byte* from, byte* to, ulong count, byte* ahead, ulong aheadCount)
    {
        unchecked
        {
            for (ulong i = 0; i < count; i += Step)
            {
                PrefetchStep(ahead, i, aheadCount);
                Vector512<byte> a = Vector512.Load(from + i);
                Vector512<byte> b = Vector512.Load(from + i + 64);
                Vector512<byte> c = Vector512.Load(from + i + 128);
                Vector512<byte> d = Vector512.Load(from + i + 192);
                a.StoreAlignedNonTemporal(to + i);
                b.StoreAlignedNonTemporal(to + i + 64);
                c.StoreAlignedNonTemporal(to + i + 128);
                d.StoreAlignedNonTemporal(to + i + 192);
            }
        }
    }

    private static void Copy256(byte* from, byte* to, ulong count, byte* ahead, ulong aheadCount)
    {
        unchecked
        {
            for (ulong i = 0; i < count; i += Step)
            {
                PrefetchStep(ahead, i, aheadCount);
                for (ulong j = i; j < i + Step; j += 128)
                {
                    Vector256<byte> a = Vector256.Load(from + j);
                    Vector256<byte> b = Vector256.Load(from + j + 32);
                    Vector256<byte> c = Vector256.Load(from + j + 64);
                    Vector256<byte> d = Vector256.Load(from + j + 96);
                    a.StoreAlignedNonTemporal(to + j);
                    b.StoreAlignedNonTemporal(to + j + 32);
                    c.StoreAlignedNonTemporal(to + j + 64);
                    d.StoreAlignedNonTemporal(to + j + 96);
                }
            }
        }
    }

    private static void Copy128(byte* from, byte* to, ulong count, byte* ahead, ulong aheadCount)
    {
        unchecked
        {
            for (ulong i = 0; i < count; i += Step)
            {
                PrefetchStep(ahead, i, aheadCount);
                for (ulong j = i; j < i + Step; j += 64)
                {
                    Vector128<byte> a = Vector128.Load(from + j);
                    Vector128<byte> b = Vector128.Load(from + j + 16);
                    Vector128<byte> c = Vector128.Load(from + j + 32);
                    Vector128<byte> d = Vector128.Load(from + j + 48);
                    a.StoreAlignedNonTemporal(to + j);
                    b.StoreAlignedNonTemporal(to + j + 16);
                    c.StoreAlignedNonTemporal(to + j + 32);
                    d.StoreAlignedNonTemporal(to + j + 48);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchStep(byte* ahead, ulong offset, ulong count)
    {
        if (Sse.IsSupported && offset < count)
        {
            // SAFETY: a prefetch never faults, so the last step may reach past the span; nothing is read.
            Sse.Prefetch0(ahead + offset);
            Sse.Prefetch0(ahead + offset + 64);
            Sse.Prefetch0(ahead + offset + 128);
            Sse.Prefetch0(ahead + offset + 192);
        }
    }

    private static void RequireEqualLengths(ReadOnlySpan<byte> source, ReadOnlySpan<byte> destination)
    {
        if (source.Length != destination.Length)
        {
            ThrowLengths(source.Length, destination.Length);
        }
    }

    [DoesNotReturn]
    private static void ThrowLengths(int source, int destination) =>
        throw new ArgumentException(
            $"destination must be as long as the source; source has {source} bytes, destination {destination}",
            nameof(destination));

    [DoesNotReturn]
    private static void ThrowOverlap(int length) =>
        throw new ArgumentException(
            $"destination must share no byte with the source; both have {length} bytes and overlap", nameof(length));
}
