namespace Mm.Devices.Gpus.Vram;

/// <summary>Who has pages of a GPU's memory and can be asked to leave.</summary>
/// <remarks>
/// <para><b>Linux:</b> an entry of TTM's LRU, with ttm_bo_evict (v6.12).</para>
/// <para><b>Locking:</b> asked with no lock held, from any thread.</para>
/// </remarks>
internal interface IVramTenant
{
    /// <summary>Leaves a part of the memory if it can do so now: it is not pinned, and no work is under way.</summary>
    /// <param name="part">Which part is short.</param>
    /// <returns>Whether pages of that part came free.</returns>
    bool TryEvict(VramPart part);
}
