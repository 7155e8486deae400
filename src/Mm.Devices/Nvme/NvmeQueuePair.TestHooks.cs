using Mm.Core;
using Mm.Core.Dma;

namespace Mm.Devices.Nvme;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class NvmeQueuePair
{
    /// <summary>
    /// Whether what was decided for the first owner's memory is applied to all of a request, as in Linux before bios were held to
    /// one peer's pages (2026, museum 30): the others' addresses are made as its were.
    /// </summary>
    internal bool DecidesByFirstOwner { get; set; }

    private ReadOnlySpan<DmaSegment> AddressesOf(NvmeTransfer transfer, NvmeTransfer? first)
    {
        ReadOnlySpan<DmaSegment> own = transfer.Mapping!.Segments;
        if (!DecidesByFirstOwner || first is null)
        {
            return own;
        }

        DmaSegment there = first.Mapping!.Segments[0];
        var addresses = new DmaSegment[transfer.List!.Count];
        for (int index = 0; index < addresses.Length; index++)
        {
            PhysRange range = transfer.List[index];
            // Modulo 2^64, as one provider's offset is applied to whatever address.
            ulong at = unchecked(range.Start.Value + (there.Address.Value - first.List![0].Start.Value));
            addresses[index] = new DmaSegment(new DmaAddr(at), range.Length, there.IsBusAddress);
        }

        return addresses;
    }
}
