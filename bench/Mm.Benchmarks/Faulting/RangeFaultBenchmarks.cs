using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;

namespace Mm.Benchmarks.Faulting;

/// <summary>What a device asks of a process's tables: a snapshot of 1 GiB, and faults of 2 MiB. One operation is one page.</summary>
[MemoryDiagnoser]
public class RangeFaultBenchmarks
{
    private const int Pages = 1 << 18;
    private const int FaultPages = 512;

    private readonly VirtRange memory = new(new VirtAddr(0x1000_0000_0000), ByteCount.FromGiB(1));
    private readonly VirtRange fresh = new(new VirtAddr(0x1100_0000_0000), ByteCount.FromMiB(2));
    private Machine machine = null!;
    private AddressSpace space = null!;
    private IntervalNotifier notifier = null!;
    private HmmRange snapshot = null!;
    private HmmRange fault = null!;

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(1536)))
            .Build();
        machine.Spaces.TryCreate(out AddressSpace? created).ThrowIfError();
        space = created!;
        Map(memory);
        Map(fresh);
        space.TryPopulateWrite(memory.Start, memory.Length).ThrowIfError();
        var all = new VirtRange(memory.Start, new ByteCount(0x0200_0000_0000));
        space.Notifiers.TryInsert(all.Start, all.Length, new Listener(), out IntervalNotifier? inserted).ThrowIfError();
        notifier = inserted!;
        snapshot = new HmmRange(notifier);
        fault = new HmmRange(notifier) { DefaultFlags = HmmPfn.RequestWrite };
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        notifier.Dispose();
        space.Dispose();
        machine.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Pages)]
    public void SnapshotOfOneGiB()
    {
        snapshot.Reset(memory);
        snapshot.Sequence = notifier.ReadBegin();
        RangeFault.TryFault(space, snapshot).ThrowIfError();
    }

    /// <summary>Pages that are there already: the walk alone.</summary>
    [Benchmark(OperationsPerInvoke = FaultPages)]
    public void FaultOfResidentPages() => Fault(new VirtRange(memory.Start, fresh.Length));

    /// <summary>Pages that nobody has touched, and what it costs to drop them again.</summary>
    [Benchmark(OperationsPerInvoke = FaultPages)]
    public void FaultOfFreshPages()
    {
        Fault(fresh);
        space.TryDropPages(fresh.Start, fresh.Length).ThrowIfError();
    }

    private void Fault(VirtRange range)
    {
        fault.Reset(range);
        fault.Sequence = notifier.ReadBegin();
        RangeFault.TryFault(space, fault).ThrowIfError();
    }

    private void Map(VirtRange range)
    {
        var request = new AreaRequest(range.Length, new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite))
        {
            At = range.Start,
            Placement = AreaPlacement.Fixed,
        };
        space.TryMap(request, out _).ThrowIfError();
    }

    private sealed class Listener : IIntervalListener
    {
        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
        {
            notifier.SetSequence(sequence);
            return true;
        }
    }
}
