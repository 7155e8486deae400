namespace Mm.Core.Dma;

/// <summary>Addresses in one piece, and what is behind them.</summary>
/// <param name="Start">The first address.</param>
/// <param name="Length">How many bytes; above zero.</param>
/// <param name="Target">The first physical address behind it.</param>
/// <param name="IsBusAddress">Whether they are a peer's bus addresses.</param>
/// <remarks><b>Linux:</b> struct dma_debug_entry, without its device (v6.12).</remarks>
internal readonly record struct LedgerRun(ulong Start, ulong Length, PhysAddr Target, bool IsBusAddress = false)
{
    /// <summary>The last address; unlike the one behind it, it cannot wrap.</summary>
    public ulong Last => Start + (Length - 1);

    /// <summary>Adds a run, as part of the one before where it goes on in both directions.</summary>
    /// <param name="runs">The runs so far.</param>
    /// <param name="next">The run.</param>
    public static void Append(List<LedgerRun> runs, LedgerRun next)
    {
        if (runs.Count > 0)
        {
            LedgerRun before = runs[^1];
            bool goesOn = before.IsBusAddress == next.IsBusAddress
                && before.Last != ulong.MaxValue && before.Last + 1 == next.Start
                && before.Target.TryAdd(new ByteCount(before.Length), out PhysAddr behind) && behind == next.Target;
            if (goesOn)
            {
                runs[^1] = before with { Length = before.Length + next.Length };
                return;
            }
        }

        runs.Add(next);
    }
}
