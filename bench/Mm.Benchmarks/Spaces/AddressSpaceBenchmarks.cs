using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.Benchmarks.Spaces;

/// <summary>Faults, accesses and forks of a process with 64 MiB of anonymous memory.</summary>
[MemoryDiagnoser]
public class AddressSpaceBenchmarks
{
    private const int Pages = 1 << 14;
    private const int LargePages = Pages / 512;
    private static readonly ByteCount Length = new PageCount(Pages).ToBytes();

    private readonly byte[] word = new byte[8];
    private Machine machine = null!;
    private AddressSpace space = null!;
    private VirtRange memory;
    private VirtRange resident;
    private VirtRange huge;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(512)))
            .Build();
        machine.Spaces.TryCreate(out AddressSpace? created).ThrowIfError();
        space = created!;
        memory = Map(0x1000_0000_0000);
        resident = Map(0x1100_0000_0000);
        huge = Map(0x1200_0000_0000);
        space.TryWantHugePages(huge.Start, huge.Length, wanted: true).ThrowIfError();
        space.TryPopulateWrite(resident.Start, resident.Length).ThrowIfError();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        space.Dispose();
        machine.Dispose();
    }

    /// <summary>The first write to each page, and what it costs to drop the pages again.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void FirstTouchOfSmallPages()
    {
        Touch(space, memory, PageSize.Small.Bytes);
        space.TryDropPages(memory.Start, memory.Length).ThrowIfError();
    }

    /// <summary>The same where 2 MiB come at once, cleared.</summary>
    [Benchmark(OperationsPerInvoke = LargePages)]
    public void FirstTouchOfLargePages()
    {
        Touch(space, huge, PageSize.Large.Bytes);
        space.TryDropPages(huge.Start, huge.Length).ThrowIfError();
    }

    /// <summary>A word of each resident page.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void ReadOfResidentPages()
    {
        for (ulong at = 0; at < Length.Value; at += PageSize.Small.Bytes.Value)
        {
            Require(space.Read(resident.Start.AddChecked(new ByteCount(at)), word));
        }
    }

    [Benchmark(OperationsPerInvoke = Pages)]
    public void WriteOfResidentPages() => Touch(space, resident, PageSize.Small.Bytes);

    /// <summary>A fork that shares all resident pages, and the child's end. One operation is one page.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void Fork()
    {
        space.TryFork(out AddressSpace? child).ThrowIfError();
        child!.Dispose();
    }

    /// <summary>A fork after which the child writes every page, each copied.</summary>
    [Benchmark(OperationsPerInvoke = Pages)]
    public void ForkAndCopyOnWrite()
    {
        space.TryFork(out AddressSpace? child).ThrowIfError();
        Touch(child!, resident, PageSize.Small.Bytes);
        child!.Dispose();
    }

    private static void Require(FaultResult result)
    {
        if (result != FaultResult.Done)
        {
            throw new InvalidOperationException($"the process got a signal: {result}");
        }
    }

    private void Touch(AddressSpace toucher, VirtRange range, ByteCount step)
    {
        for (ulong at = 0; at < range.Length.Value; at += step.Value)
        {
            Require(toucher.Write(range.Start.AddChecked(new ByteCount(at)), word));
        }
    }

    private VirtRange Map(ulong at)
    {
        var request = new AreaRequest(Length, new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite))
        {
            At = new VirtAddr(at),
            Placement = AreaPlacement.Fixed,
        };
        space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }
}
