namespace Mm.P2pDma.Pools;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class P2pMemPool
{
    /// <summary>
    /// Whether a mapping that is refused half-way keeps the reference of its page map, as Linux did before "PCI/P2PDMA: Release
    /// per-CPU pgmap ref when vm_insert_page() fails" (2025): the device can never go (museum 2).
    /// </summary>
    internal bool KeepsReferenceOfRefused { get; set; }

    /// <summary>
    /// Whether a free page is expected to have a reference under any kernel, as Linux did before CVE-2026-46268 was mended:
    /// where free pages have none, every mapping trips over it (museum 3).
    /// </summary>
    internal bool ExpectsIdleReference { get; set; }
}
