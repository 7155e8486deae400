using Mm.Conformance.P2p;
using Mm.Core;

namespace Mm.Conformance.Tests.P2p;

/// <summary>Peer memory by a plain list of pages, right by default, wrong by one knob at a time.</summary>
internal sealed class WrongMemoryModel(P2pBarLayout layout) : IP2pMemoryModel
{
    internal enum Fit
    {
        First,
        Best,
        Last,
    }

    private readonly List<(ulong Start, ulong Length)> added = [];
    private readonly Dictionary<ulong, (int Start, int Count)> slots = [];
    private bool[] taken = [];

    public ulong Granule { get; init; } = 2 << 20;

    public ulong Unit { get; init; } = 4096;

    public bool RefusesOverlap { get; init; } = true;

    public bool ZeroIsTheRest { get; init; } = true;

    public bool Frees { get; init; } = true;

    public Fit Choice { get; init; }

    public Errno TryAdd(ByteCount size, ByteCount offset)
    {
        if (offset >= layout.Length)
        {
            return Errno.EINVAL;
        }

        ulong length = size.IsZero && ZeroIsTheRest ? layout.Length.Value - offset.Value : size.Value;
        if (length == 0 || length > layout.Length.Value - offset.Value)
        {
            return Errno.EINVAL;
        }

        bool isTaken = added.Exists(part => offset.Value < part.Start + part.Length && part.Start < offset.Value + length);
        if (isTaken && RefusesOverlap)
        {
            return Errno.ENOMEM;
        }

        ulong start = layout.IsAligned ? offset.Value : offset.Value + (1 << 20);
        if (start % Granule != 0 || length % Granule != 0)
        {
            return Errno.EINVAL;
        }

        added.Add((offset.Value, length));
        taken = new bool[length / Unit];
        return Errno.Ok;
    }

    public Errno TryAllocate(ulong slot, ByteCount size, out ByteCount offset)
    {
        int wanted = (int)((size.Value + Unit - 1) / Unit);
        offset = default;
        (int Start, int Length)[] holes = [.. Holes().Where(hole => hole.Length >= wanted)];
        if (wanted == 0 || holes.Length == 0)
        {
            return Errno.ENOMEM;
        }

        (int Start, int Length) hole = Choice switch
        {
            Fit.Best => holes.MinBy(candidate => candidate.Length),
            Fit.Last => holes[^1],
            _ => holes[0],
        };
        Array.Fill(taken, true, hole.Start, wanted);
        slots[slot] = (hole.Start, wanted);
        offset = new ByteCount((ulong)hole.Start * Unit);
        return Errno.Ok;
    }

    public Errno TryFree(ulong slot)
    {
        if (slots.Remove(slot, out (int Start, int Count) pages) && Frees)
        {
            Array.Fill(taken, false, pages.Start, pages.Count);
        }

        return Errno.Ok;
    }

    public void Dispose()
    {
    }

    private IEnumerable<(int Start, int Length)> Holes()
    {
        for (int at = 0; at < taken.Length;)
        {
            int end = Array.IndexOf(taken, !taken[at], at);
            end = end < 0 ? taken.Length : end;
            if (!taken[at])
            {
                yield return (at, end - at);
            }

            at = end;
        }
    }
}
