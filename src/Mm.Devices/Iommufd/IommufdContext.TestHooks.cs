using Mm.Core.Checks;

namespace Mm.Devices.Iommufd;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class IommufdContext
{
    /// <summary>Where other threads may run, between steps that hold no lock; null but in tests.</summary>
    internal IYieldPoints? Points { get; init; }

    /// <summary>
    /// Whether unmapping unpins past where an access begins, as Linux did before "iommufd: Fix unpinning of pages when an
    /// access is present" (2023, 727c28c1cef2).
    /// </summary>
    internal bool UnpinsUnderAccess { get; init; }

    /// <summary>
    /// Whether a user's memory may pass the top of the address space, as in Linux before "iommufd: Check for uptr overflow"
    /// (2023, e4395701330f).
    /// </summary>
    internal bool AllowsUserWrap { get; init; }

    /// <summary>
    /// Whether frames that are carried past a page that stays pinned keep their first instead of their last, as in Linux
    /// before "iommufd: Do not corrupt the pfn list when doing batch carry" (2023, 13a0d1ae7ee6).
    /// </summary>
    internal bool CarryKeepsFirst { get; init; }
}
