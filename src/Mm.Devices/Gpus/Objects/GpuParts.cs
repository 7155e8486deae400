using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Buffers;
using Mm.P2pDma;
using Mm.P2pDma.Providers;

namespace Mm.Devices.Gpus.Objects;

/// <summary>What the rooms of one GPU take from it.</summary>
/// <remarks>Immutable; lives as long as the GPU's last buffer.</remarks>
/// <param name="Name">What the GPU is called.</param>
/// <param name="Id">Which device of the machine it is.</param>
/// <param name="Pci">The machine's PCI side.</param>
/// <param name="Buffers">The machine's shared buffers.</param>
/// <param name="Provider">Who answers for the BAR.</param>
/// <param name="Pool">The allocator of the GPU's memory.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Copier">Its copy engine.</param>
/// <param name="Spaces">The address spaces of its processes.</param>
/// <param name="Points">The explorer's points; null in production.</param>
internal sealed record GpuParts(
    string Name,
    DeviceId Id,
    PciSystem Pci,
    BufferRegistry Buffers,
    BarProvider Provider,
    VramPool Pool,
    VramBytes Bytes,
    GpuCopier Copier,
    AddressSpaces Spaces,
    IYieldPoints? Points)
{
    /// <summary>The machine.</summary>
    internal Machine Machine => Pci.Machine;

    /// <summary>Who owns which addresses.</summary>
    internal IRangeOwnerSource Owners => Pci.Owners;
}
