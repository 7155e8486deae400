using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>What drivers did wrong with their mappings, while anybody wants to know.</summary>
/// <remarks>
/// Refuses nothing and changes no answer. The first 1024 findings are kept; all are counted.
/// <para><b>Linux:</b> dma-debug, CONFIG_DMA_API_DEBUG (v6.12).</para>
/// <para><b>Locking:</b> a lock of its own, rank Leaf; safe from any thread.</para>
/// </remarks>
public sealed class DmaDiagnostics
{
    private const int Kept = 1024;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<DmaDiagnostic> found = []; // protected by gate

    internal DmaDiagnostics()
    {
    }

    /// <summary>Whether findings are recorded: from the start when <see cref="Check.Enabled"/>, otherwise when set.</summary>
    public bool IsOn { get; set; } = Check.Enabled;

    /// <summary>How many findings there were.</summary>
    public long Count { get; private set; }

    /// <summary>The findings, oldest first.</summary>
    /// <returns>A copy.</returns>
    public IReadOnlyList<DmaDiagnostic> Collect()
    {
        using (gate.Enter())
        {
            return [.. found];
        }
    }

    /// <summary>Forgets all findings.</summary>
    public void Clear()
    {
        using (gate.Enter())
        {
            found.Clear();
            Count = 0;
        }
    }

    internal void Report(DmaDiagnosticKind kind, DeviceId device, string detail)
    {
        if (!IsOn)
        {
            return;
        }

        using (gate.Enter())
        {
            Count++;
            if (found.Count < Kept)
            {
                found.Add(new DmaDiagnostic(kind, device, detail));
            }
        }
    }
}
