using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.DmaBuf.Fences;

namespace Mm.Benchmarks.Fences;

/// <summary>A fence from its making to its signal, with callbacks. The kernel's peer: dma_fence_add_callback and dma_fence_signal.</summary>
[MemoryDiagnoser]
public class SignalBenchmarks
{
    private FenceContexts contexts = null!;
    private FenceContext context;
    private Machine machine = null!;
    private ulong seqno;
    private long signaled;

    [Params(1, 1000)]
    public int CallbackCount { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder().Build();
        contexts = new FenceContexts(machine.Clock);
        context = contexts.Next();
    }

    [GlobalCleanup]
    public void Cleanup() => machine.Dispose();

    /// <summary>What the base library offers: a source of a task with continuations.</summary>
    [Benchmark(Baseline = true)]
    public long TaskSource()
    {
        var source = new TaskCompletionSource<long>();
        for (int count = 0; count < CallbackCount; count++)
        {
            _ = source.Task.ContinueWith(
                _ => signaled++, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        source.SetResult(1);
        return signaled;
    }

    /// <summary>Adds the callbacks and signals.</summary>
    [Benchmark]
    public long Signal()
    {
        var fence = new DmaFence(contexts, context, ++seqno);
        for (int count = 0; count < CallbackCount; count++)
        {
            fence.TryAddCallback(_ => signaled++, out _).ThrowIfError();
        }

        fence.Signal().ThrowIfError();
        return signaled;
    }
}
