using Mm.Core;

namespace Mm.Conformance.P2p;

/// <summary>The peer memory of one BAR, as a recording asks for it. Mm's is <see cref="PciMemoryModel"/>; tests put wrong ones in its place.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
internal interface IP2pMemoryModel : IDisposable
{
    /// <summary>Gives a part of the BAR to peer-to-peer DMA; size zero is the rest of it.</summary>
    Errno TryAdd(ByteCount size, ByteCount offset);

    /// <summary>Takes memory; the offset is that in the BAR.</summary>
    Errno TryAllocate(ulong slot, ByteCount size, out ByteCount offset);

    /// <summary>Gives back what a slot holds.</summary>
    Errno TryFree(ulong slot);
}
