using Mm.Core;

namespace Mm.Benchmarks.PhysRanges;

/// <summary>The workload of <c>lookup.c</c>: disjoint ranges of 2 MiB to 16 GiB with gaps, and addresses of which nine in ten lie inside.</summary>
/// <param name="Ranges">The ranges, ascending.</param>
/// <param name="Keys">The addresses.</param>
internal sealed record LookupInputs(PhysRange[] Ranges, PhysAddr[] Keys)
{
    /// <summary>How many addresses.</summary>
    internal const int KeyCount = 1 << 20;

    internal static LookupInputs Make(int rangeCount)
    {
        ulong state = 0x9E3779B97F4A7C15;
        ulong next = 1UL << 32;
        var ranges = new PhysRange[rangeCount];
        for (int place = 0; place < rangeCount; place++)
        {
            var length = new ByteCount(1UL << (int)(21 + (Xorshift.Next(ref state) % 14)));
            next += (Xorshift.Next(ref state) % 4) << 21;
            ranges[place] = new PhysRange(new PhysAddr(next), length);
            next += length.Value;
        }

        return new LookupInputs(ranges, DrawKeys(ranges, next));
    }

    private static PhysAddr[] DrawKeys(PhysRange[] ranges, ulong top)
    {
        ulong state = 12345;
        var keys = new PhysAddr[KeyCount];
        for (int place = 0; place < keys.Length; place++)
        {
            ulong draw = Xorshift.Next(ref state);
            PhysRange range = ranges[(int)((draw >> 8) % (ulong)ranges.Length)];
            keys[place] = draw % 10 != 0
                ? range.Start.AddChecked(new ByteCount(Xorshift.Next(ref state) % range.Length.Value))
                : new PhysAddr(Xorshift.Next(ref state) % top);
        }

        return keys;
    }
}
