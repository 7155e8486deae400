using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Policies;

namespace Mm.Core.Spaces;

/// <summary>What address spaces take from their machine.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Frames">Metadata of pages.</param>
/// <param name="Allocator">Where pages come from.</param>
/// <param name="Memory">Where page tables live.</param>
/// <param name="Bytes">How bytes of pages are reached.</param>
/// <param name="Pagemaps">Who owns device pages.</param>
/// <param name="Faults">What is to fail.</param>
/// <param name="Profile">Which kernel.</param>
/// <param name="Points">The explorer's points; null in production.</param>
/// <param name="Nodes">Which nodes have what; null: those with RAM have CPUs.</param>
internal sealed record SpaceParts(
    FrameTable Frames,
    PageAllocator Allocator,
    MachineMemory Memory,
    PhysicalBytes Bytes,
    PagemapRegistry Pagemaps,
    FaultInjector Faults,
    LinuxProfile Profile,
    IYieldPoints? Points = null,
    NumaNodes? Nodes = null);
