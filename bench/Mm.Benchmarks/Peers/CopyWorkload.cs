using System.Buffers.Binary;
using System.Diagnostics;
using Mm.Core;
using Mm.Core.Native;

namespace Mm.Benchmarks.Peers;

/// <summary>The workloads of <c>copy.c</c>: 512 MiB of pages, each visited once, in random order on both sides.</summary>
internal sealed class CopyWorkload
{
    private const int TotalBytes = 512 << 20;
    private const ulong SourceSeed = 99;
    private const ulong FromSeed = 11;
    private const ulong ToSeed = 13;

    private static readonly Machine Host = Machine.CreateBuilder().WithHugePages().Build();
    private static readonly NativeRegion Source = MakeSource();
    private static readonly NativeRegion Destination = Host.CreateDeviceMemory(new ByteCount(TotalBytes));

    private readonly int pageBytes;
    private readonly int[] from;
    private readonly int[] to;

    internal CopyWorkload(int pageBytes)
    {
        this.pageBytes = pageBytes;
        from = Shuffled(FromSeed);
        to = Shuffled(ToSeed);
    }

    private delegate void Copier(ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> next);

    /// <summary>The runtime's copy behind Mm's door.</summary>
    internal Repetition Plain() => Measure(
        static (source, destination, _) => ByteCopy.Plain(source, destination));

    /// <summary>Past the caches, each page made visible by itself.</summary>
    internal Repetition NonTemporal() => Measure(
        static (source, destination, _) => ByteCopy.NonTemporal(source, destination));

    /// <summary>Past the caches, the next page fetched meanwhile: what whoever knows its list uses.</summary>
    internal Repetition Run() => Measure(static (source, destination, next) =>
    {
        var run = default(CopyRun); // one fence makes all pages visible: that of the run in Measure
        run.Copy(source, destination, next);
    });

    private Repetition Measure(Copier copy)
    {
        using SpanLease read = Source.Lease(default, Source.Length);
        using SpanLease write = Destination.Lease(default, Destination.Length);
        ReadOnlySpan<byte> source = read.Bytes;
        Span<byte> destination = write.Bytes;
        destination.Fill(1);
        long begin = Stopwatch.GetTimestamp();
        using (CopyRun.Start())
        {
            for (int i = 0; i < from.Length; i++)
            {
                int next = from[Math.Min(i + 1, from.Length - 1)];
                copy(source.Slice(from[i], pageBytes), destination.Slice(to[i], pageBytes), source.Slice(next, pageBytes));
            }
        }

        double nanoseconds = Stopwatch.GetElapsedTime(begin).TotalNanoseconds / from.Length;
        return new Repetition(nanoseconds, SumUp(destination));
    }

    // The first and the last word of every page, weighted by their place.
    private ulong SumUp(ReadOnlySpan<byte> destination)
    {
        ulong sum = 0;
        for (int i = 0; i < from.Length; i++)
        {
            ReadOnlySpan<byte> page = destination.Slice(i * pageBytes, pageBytes);
            ulong words = BinaryPrimitives.ReadUInt64LittleEndian(page)
                ^ BinaryPrimitives.ReadUInt64LittleEndian(page[^sizeof(ulong)..]);
            sum = unchecked(sum + (words * (ulong)(i + 1))); // a checksum may wrap
        }

        return sum;
    }

    private static NativeRegion MakeSource()
    {
        NativeRegion region = Host.CreateDeviceMemory(new ByteCount(TotalBytes));
        using SpanLease lease = region.Lease(default, region.Length);
        ulong seed = SourceSeed;
        for (Span<byte> rest = lease.Bytes; !rest.IsEmpty; rest = rest[sizeof(ulong)..])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(rest, Xorshift.Next(ref seed));
        }

        return region;
    }

    private int[] Shuffled(ulong seed)
    {
        int[] offsets = [.. Enumerable.Range(0, TotalBytes / pageBytes).Select(page => page * pageBytes)];
        Xorshift.Shuffle(offsets.AsSpan(), seed);
        return offsets;
    }
}
