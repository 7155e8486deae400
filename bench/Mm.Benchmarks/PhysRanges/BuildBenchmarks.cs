using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>Building and merging a range list of 1 GiB from frame numbers, per page. <c>MM_VECTORS</c> chooses the twin.</summary>
[MemoryDiagnoser]
public class BuildBenchmarks
{
    private readonly PhysRangeListBuilder builder = new(UniformOwnerSource.AllRam);
    private readonly PhysRange[] plain = new PhysRange[Fragments.FrameCount];
    private Pfn[] frames = [];

    [Params(0, 50, 100)]
    public int FragmentationPercent { get; set; }

    [GlobalSetup]
    public void Setup() => frames = Fragments.Make(FragmentationPercent);

    /// <summary>The loop that one would write first: a branch at every page.</summary>
    [Benchmark(Baseline = true, OperationsPerInvoke = Fragments.FrameCount)]
    public int BranchyLoop()
    {
        int count = 0;
        foreach (Pfn frame in frames)
        {
            var page = new PhysRange(frame.Address, PageSize.Small.Bytes);
            if (count > 0 && plain[count - 1].IsFollowedBy(page))
            {
                PhysRange last = plain[count - 1];
                plain[count - 1] = new PhysRange(last.Start, last.Length.AddChecked(page.Length));
                continue;
            }

            plain[count++] = page;
        }

        return count;
    }

    /// <summary>Merging alone, into the builder's storage.</summary>
    [Benchmark(OperationsPerInvoke = Fragments.FrameCount)]
    public int Append()
    {
        builder.Clear();
        builder.TryAppendFrames(frames).ThrowIfError();
        return builder.Count;
    }

    /// <summary>Merging, and the finished list in storage of its own, recycled.</summary>
    [Benchmark(OperationsPerInvoke = Fragments.FrameCount)]
    public int AppendAndBuild()
    {
        builder.TryAppendFrames(frames).ThrowIfError();
        using PhysRangeList list = builder.Build();
        return list.Count;
    }
}
