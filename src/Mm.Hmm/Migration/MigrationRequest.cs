using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Which pages of one area are to migrate.</summary>
/// <remarks><b>Linux:</b> struct migrate_vma (v6.12), its input. <c>default</c> is a request of no pages. Immutable.</remarks>
/// <param name="Range">The addresses; whole pages, in one area.</param>
/// <param name="Select">Which kinds of pages.</param>
/// <param name="Owner">Whose device memory, and who ignores the notice. <b>Linux:</b> pgmap_owner.</param>
public readonly record struct MigrationRequest(VirtRange Range, MigrateSelect Select, object? Owner)
{
    /// <summary>The fault that is served: its page is held and locked already, and so is its space. <b>Linux:</b> fault_page.</summary>
    public DevicePageFault? Fault { get; init; }
}
