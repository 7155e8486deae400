using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Benchmarks.Reservations;

/// <summary>Adding to a reservation and asking it. The kernel's peers: dma_resv_add_fence and dma_resv_test_signaled.</summary>
[MemoryDiagnoser]
public class ReservationBenchmarks
{
    private readonly List<DmaFence> pending = [];
    private FenceContexts contexts = null!;
    private Machine machine = null!;
    private Reservation reservation = null!;
    private DmaFence next = null!;

    [Params(1, 4, 64)]
    public int FenceCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().Build();
        contexts = new FenceContexts(machine.Clock);
        reservation = new Reservation(contexts);
        using ReservationLock held = reservation.Lock();
        for (int count = 0; count < FenceCount; count++)
        {
            pending.Add(new DmaFence(contexts, contexts.Next(), seqno: 1));
            held.TryReserve(1).ThrowIfError();
            held.Add(pending[count], FenceUsage.Read);
        }

        next = new DmaFence(contexts, pending[^1].Context, seqno: 2);
    }

    [GlobalCleanup]
    public void Cleanup() => machine.Dispose();

    /// <summary>A fence of a context that is there: replaces its slot, the last.</summary>
    [Benchmark]
    public void Add()
    {
        using ReservationLock held = reservation.Lock();
        held.TryReserve(1).ThrowIfError();
        held.Add(next, FenceUsage.Read);
    }

    /// <summary>Whether a reader may go on: goes over all fences, which are readers'.</summary>
    [Benchmark(Baseline = true)]
    public bool IsReadable() => reservation.IsReadable;

    /// <summary>Whether a writer may go on: ends at the first fence.</summary>
    [Benchmark]
    public bool IsWritable() => reservation.IsWritable;

    /// <summary>Collects what a writer waits for.</summary>
    [Benchmark]
    public int GetFences() => reservation.GetFences(FenceUsage.Read).Count;
}
