namespace Mm.Core.Policies;

/// <summary>How a <see cref="MemoryPolicy"/> chooses among its nodes.</summary>
/// <remarks><b>Linux:</b> MPOL_DEFAULT and its sisters (include/uapi/linux/mempolicy.h, v6.12), with their numbers.</remarks>
public enum PolicyMode
{
    /// <summary>No policy of one's own: an area goes by its process, a process by where its CPU is.</summary>
    Default = 0,

    /// <summary>The lowest of the nodes first, then any by distance from it; without nodes it is <see cref="Local"/>.</summary>
    Preferred = 1,

    /// <summary>The nodes and no other, nearest first.</summary>
    Bind = 2,

    /// <summary>The nodes in turn, page by page of the area.</summary>
    Interleave = 3,

    /// <summary>The node of the CPU first, whatever the process's own policy.</summary>
    Local = 4,

    /// <summary>The nodes first, nearest first, then any.</summary>
    PreferredMany = 5,

    /// <summary>The nodes in turn, several pages each by their weight.</summary>
    WeightedInterleave = 6,
}
