using Mm.Core.Checks;
using Mm.Core.Frames;

namespace Mm.Core.Pagemaps;

/// <summary>The parts of a machine that page maps are built on.</summary>
/// <param name="Frames">The metadata.</param>
/// <param name="Memory">How to reserve memory.</param>
/// <param name="AddressMap">What lies where.</param>
/// <param name="Bytes">The bytes at physical addresses.</param>
/// <param name="Profile">Which Linux.</param>
/// <param name="Faults">Where failures are injected.</param>
/// <param name="Points">Where tests interleave threads; null outside of them.</param>
internal sealed record PagemapParts(
    FrameTable Frames,
    MachineMemory Memory,
    AddressMap AddressMap,
    PhysicalBytes Bytes,
    LinuxProfile Profile,
    FaultInjector Faults,
    IYieldPoints? Points = null);
