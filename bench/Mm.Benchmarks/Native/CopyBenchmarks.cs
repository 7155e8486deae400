using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Native;

namespace Mm.Benchmarks.Native;

/// <summary>Copies of a shuffled list of pages, against the copy that every .NET program has at hand.</summary>
/// <remarks>
/// Both sides are visited in random order, each page once, as migration does. One operation copies the whole 256 MiB, so
/// that the list is out of every cache; divide.
/// </remarks>
[MemoryDiagnoser]
public class CopyBenchmarks
{
    private const int TotalBytes = 256 << 20;

    private Machine machine = null!;
    private NativeRegion source = null!;
    private NativeRegion destination = null!;
    private int[] from = [];
    private int[] to = [];

    /// <summary>The size of a page: 4 KiB or 2 MiB.</summary>
    [Params(4 << 10, 2 << 20)]
    public int PageBytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().WithHugePages().Build();
        source = machine.CreateDeviceMemory(new ByteCount(TotalBytes));
        destination = machine.CreateDeviceMemory(new ByteCount(TotalBytes));
        from = Shuffled("source");
        to = Shuffled("destination");
        using SpanLease a = source.Lease(default, source.Length);
        using SpanLease b = destination.Lease(default, destination.Length);
        machine.CreateRandom("bytes").Fill(a.Bytes);
        b.Bytes.Fill(1);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        source.Dispose();
        destination.Dispose();
        machine.Dispose();
    }

    /// <summary>The runtime's own copy, which NativeMemory.Copy and Buffer.MemoryCopy end in too.</summary>
    [Benchmark(Baseline = true)]
    public void SpanCopyTo()
    {
        using SpanLease a = source.Lease(default, source.Length);
        using SpanLease b = destination.Lease(default, destination.Length);
        Span<byte> read = a.Bytes;
        Span<byte> write = b.Bytes;
        for (int i = 0; i < from.Length; i++)
        {
            read.Slice(from[i], PageBytes).CopyTo(write.Slice(to[i], PageBytes));
        }
    }

    [Benchmark]
    public void Plain()
    {
        using SpanLease a = source.Lease(default, source.Length);
        using SpanLease b = destination.Lease(default, destination.Length);
        Span<byte> read = a.Bytes;
        Span<byte> write = b.Bytes;
        for (int i = 0; i < from.Length; i++)
        {
            ByteCopy.Plain(read.Slice(from[i], PageBytes), write.Slice(to[i], PageBytes));
        }
    }

    [Benchmark]
    public void NonTemporal()
    {
        using SpanLease a = source.Lease(default, source.Length);
        using SpanLease b = destination.Lease(default, destination.Length);
        Span<byte> read = a.Bytes;
        Span<byte> write = b.Bytes;
        for (int i = 0; i < from.Length; i++)
        {
            ByteCopy.NonTemporal(read.Slice(from[i], PageBytes), write.Slice(to[i], PageBytes));
        }
    }

    [Benchmark]
    public void NonTemporalPrefetching()
    {
        using SpanLease a = source.Lease(default, source.Length);
        using SpanLease b = destination.Lease(default, destination.Length);
        Span<byte> read = a.Bytes;
        Span<byte> write = b.Bytes;
        using var run = CopyRun.Start();
        for (int i = 0; i < from.Length; i++)
        {
            int next = from[Math.Min(i + 1, from.Length - 1)];
            run.Copy(read.Slice(from[i], PageBytes), write.Slice(to[i], PageBytes), read.Slice(next, PageBytes));
        }
    }

    private int[] Shuffled(string stream)
    {
        MachineRandom random = machine.CreateRandom(stream);
        int[] offsets = [.. Enumerable.Range(0, TotalBytes / PageBytes).Select(page => page * PageBytes)];
        for (int i = offsets.Length - 1; i > 0; i--)
        {
            int other = (int)random.NextBelow((ulong)(uint)i + 1);
            (offsets[i], offsets[other]) = (offsets[other], offsets[i]);
        }

        return offsets;
    }
}
