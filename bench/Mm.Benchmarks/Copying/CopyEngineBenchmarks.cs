using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Benchmarks.Copying;

/// <summary>Jobs of shuffled pages through the copy engines, against the copy that every .NET program has at hand.</summary>
/// <remarks>
/// 256 MiB of RAM to 256 MiB of a device's own memory, each page once, in jobs of 2 MiB or more; one operation is all of
/// it, so that nothing stays in the caches. What an engine adds to its copies is the difference to the first line.
/// </remarks>
[MemoryDiagnoser]
public class CopyEngineBenchmarks
{
    private const int TotalBytes = 256 << 20;
    private const int JobBytes = 2 << 20;

    private Machine machine = null!;
    private DeviceMemory memory = null!;
    private CopyJobPool jobs = null!;
    private CpuCopyEngine cpu = null!;
    private DeviceCopyEngine stepped = null!;
    private DeviceCopyEngine threaded = null!;
    private PageCopy[] copies = [];

    /// <summary>What is copied at once.</summary>
    public enum Pages
    {
        /// <summary>Pages of 4 KiB, 512 a job.</summary>
        Small = 0,

        /// <summary>Pages of 2 MiB, one a job.</summary>
        Large = 1,
    }

    [ParamsAllValues]
    public Pages Size { get; set; }

    private PageSize PageSize => Size == Pages.Large ? PageSize.Large : PageSize.Small;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, new ByteCount(TotalBytes))).WithHugePages().Build();
        machine.TryAddDevicePrivate("gpu", new ByteCount(TotalBytes), out AddressRegion? region).ThrowIfError();
        var view = new CpuPageBytes(machine);
        memory = new DeviceMemory(
            new PfnRange(region!.Range.Start.Pfn, region.Range.Length.ToPagesRoundDown()), machine.CreateDeviceMemory(region.Range.Length), view);
        jobs = new CopyJobPool();
        cpu = new CpuCopyEngine(memory, machine.Faults); // sees the device's memory, so that all lines copy the same
        stepped = new DeviceCopyEngine("stepped", memory, machine.Faults, CopyEngineDrive.Stepped);
        threaded = new DeviceCopyEngine("threaded", memory, machine.Faults, depth: TotalBytes / JobBytes);
        copies = MakeCopies();
        SpanCopyTo(); // touches every page of both sides
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        threaded.Dispose();
        stepped.Dispose();
        memory.Dispose();
        machine.Dispose();
    }

    /// <summary>The runtime's own copy, page by page through the same leases.</summary>
    [Benchmark(Baseline = true)]
    public void SpanCopyTo()
    {
        foreach (PageCopy copy in copies)
        {
            memory.TryLease(copy.Source, copy.Size, out SpanLease source).ThrowIfError();
            memory.TryLease(copy.Destination, copy.Size, out SpanLease destination).ThrowIfError();
            source.Bytes.CopyTo(destination.Bytes);
            destination.Dispose();
            source.Dispose();
        }
    }

    [Benchmark]
    public void CpuEngine() => CopyOneByOne(cpu);

    [Benchmark]
    public void DeviceEngineStepped() => CopyOneByOne(stepped);

    /// <summary>The thread, waited for after each job: what a migration that is in no hurry to overlap sees.</summary>
    [Benchmark]
    public void DeviceEngineOnItsThread() => CopyOneByOne(threaded);

    /// <summary>The thread with all jobs in its queue.</summary>
    [Benchmark]
    public void DeviceEngineQueued()
    {
        int each = JobBytes / (int)PageSize.Bytes.Value;
        var flying = new List<CopyJob>(copies.Length / each);
        for (int first = 0; first < copies.Length; first += each)
        {
            CopyJob job = Fill(first, each);
            threaded.TrySubmit(job).ThrowIfError();
            flying.Add(job);
        }

        foreach (CopyJob job in flying)
        {
            job.Fence.Wait().ThrowIfError();
            job.Dispose();
        }
    }

    private void CopyOneByOne(ICopyEngine engine)
    {
        int each = JobBytes / (int)PageSize.Bytes.Value;
        for (int first = 0; first < copies.Length; first += each)
        {
            using CopyJob job = Fill(first, each);
            engine.TrySubmit(job).ThrowIfError();
            job.Fence.Wait().ThrowIfError();
        }
    }

    private CopyJob Fill(int first, int count)
    {
        CopyJob job = jobs.Rent();
        foreach (PageCopy copy in copies.AsSpan(first, count))
        {
            job.Add(copy);
        }

        return job;
    }

    private PageCopy[] MakeCopies()
    {
        ulong[] from = Shuffled("source");
        ulong[] to = Shuffled("destination");
        return [.. from.Zip(to, (source, destination) => PageCopy.Of(
            new Pfn(source), memory.Frames.Start.AddChecked(new PageCount(destination)), PageSize))];
    }

    private ulong[] Shuffled(string stream)
    {
        MachineRandom random = machine.CreateRandom(stream);
        ulong step = PageSize.Pages.Value;
        ulong[] frames = [.. Enumerable.Range(0, TotalBytes / (int)PageSize.Bytes.Value).Select(page => (ulong)page * step)];
        for (int index = frames.Length - 1; index > 0; index--)
        {
            int other = (int)random.NextBelow((ulong)index + 1);
            (frames[index], frames[other]) = (frames[other], frames[index]);
        }

        return frames;
    }
}
