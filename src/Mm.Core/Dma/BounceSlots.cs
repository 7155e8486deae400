namespace Mm.Core.Dma;

/// <summary>A run of RAM that a device reaches through slots of low memory.</summary>
/// <remarks><b>Linux:</b> struct io_tlb_slot's orig_addr and alloc_size (v6.12). Immutable.</remarks>
/// <param name="Original">The run.</param>
/// <param name="Start">The first byte that stands for it.</param>
internal readonly record struct BounceSlots(PhysRange Original, PhysAddr Start)
{
    /// <summary>Where an address of the slots lies in the run.</summary>
    /// <param name="at">The address, as the device sees it.</param>
    /// <param name="offset">How far from the start.</param>
    /// <returns>Whether it lies there.</returns>
    internal bool TryFind(DmaAddr at, out ByteCount offset)
    {
        ulong distance = unchecked(at.Value - Start.Value); // wraps to a huge distance when below
        offset = new ByteCount(distance);
        return distance < Original.Length.Value;
    }
}
