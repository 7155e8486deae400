using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Benchmarks.Spaces;

/// <summary>A populated 1 GiB of 4 KiB pages: the workloads of <c>pagetable.c</c>, for G13. One operation is one page.</summary>
[MemoryDiagnoser]
public class PageTableBenchmarks
{
    private const int Pages = 1 << 18;
    private const int WindowPages = 16; // 64 KiB
    private const ulong Base = 0x7f00_0000_0000;

    private readonly ulong[] words = GC.AllocateArray<ulong>(Pages, pinned: true);
    private MachineMemory memory = null!;
    private Machine machine = null!;
    private PageTables tables = null!;
    private ulong state = 88172645463325252;

    [GlobalSetup]
    public void Build()
    {
        machine = Machine.CreateBuilder().Build();
        memory = new MachineMemory(NativeBacking.OperatingSystem, hugePages: false);
        tables = new PageTables(memory, machine.Faults);
        Populate(tables);
    }

    [GlobalCleanup]
    public void End()
    {
        tables.Dispose();
        machine.Dispose();
    }

    /// <summary>One snapshot of everything.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Pages)]
    public bool Snapshot() => tables.Snapshot(new VirtAddr(Base), words);

    /// <summary>Snapshots of 64 KiB, a descent each.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public bool SnapshotWindows()
    {
        bool others = false;
        for (ulong page = 0; page < Pages; page += WindowPages)
        {
            others |= tables.Snapshot(new VirtAddr(Base + (page << 12)), words.AsSpan(0, WindowPages));
        }

        return others;
    }

    /// <summary>One page at a random place.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public ulong ReadAtRandom()
    {
        ulong sum = 0;
        for (int count = 0; count < Pages; count++)
        {
            sum ^= tables.Read(new VirtAddr(Base + ((Xorshift.Next(ref state) & (Pages - 1)) << 12))).Bits;
        }

        return sum;
    }

    /// <summary>Write-protect and undo it, by compare-and-swap page by page, two walks an operation.</summary>
    [Benchmark(OperationsPerInvoke = Pages * 2)]
    public void Protect()
    {
        var range = new VirtRange(new VirtAddr(Base), ByteCount.FromGiB(1));
        tables.Protect(range, PteProtection.Read);
        tables.Protect(range, PteProtection.ReadWrite);
    }

    /// <summary>Map into fresh tables, one descent a page, and give all back.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void MapOneByOne()
    {
        using var fresh = new PageTables(memory, machine.Faults);
        Populate(fresh);
    }

    private static void Populate(PageTables into)
    {
        for (ulong page = 0; page < Pages; page++)
        {
            Pte entry = Pte.Present(new Pfn((5 * 7) + page), PteProtection.ReadWrite);
            into.TryExchange(new VirtAddr(Base + (page << 12)), default, entry, out _).ThrowIfError();
        }
    }
}
