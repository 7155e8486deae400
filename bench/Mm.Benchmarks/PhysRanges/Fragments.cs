using Mm.Core;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>The frames of 1 GiB, of which a given share does not follow its predecessor: the workload of <c>rangelist.c</c>.</summary>
internal static class Fragments
{
    internal const int FrameCount = 1 << 18;

    internal static Pfn[] Make(int percent)
    {
        ulong state = 77;
        ulong frame = 1 << 20;
        var frames = new Pfn[FrameCount];
        for (int index = 0; index < frames.Length; index++)
        {
            bool breaks = (int)(Xorshift.Next(ref state) % 100) < percent;
            frame += breaks ? 2 + (Xorshift.Next(ref state) % 64) : 1;
            frames[index] = new Pfn(frame);
        }

        return frames;
    }
}
