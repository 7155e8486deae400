namespace Mm.Devices.Iommufd;

/// <summary>By which way an access reads and writes bytes.</summary>
/// <remarks><b>Linux:</b> IOMMUFD_ACCESS_RW_KTHREAD and the slow path of iopt_pages_rw_access (v6.12).</remarks>
public enum AccessPath
{
    /// <summary>Through the user's own mapping: fast, and blind to pages that were pinned before the user moved on.</summary>
    OfUser = 0,

    /// <summary>Through the pages, as devices see them, where more than one is touched.</summary>
    OfPages = 1,
}
