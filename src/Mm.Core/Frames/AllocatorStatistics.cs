namespace Mm.Core.Frames;

/// <summary>Where the pages of RAM are, at one instant.</summary>
/// <remarks>
/// Exact on a machine at rest; while others allocate, each number is from its own moment.
/// <para><b>Linux:</b> /proc/zoneinfo and /proc/vmstat, pgalloc and pgfree (v6.12).</para>
/// <para><c>default</c> is of a machine without RAM. Immutable.</para>
/// </remarks>
/// <param name="Managed">Pages the allocator was given.</param>
/// <param name="Free">Pages free in their zones.</param>
/// <param name="OnStacks">Pages free on processors' stacks.</param>
/// <param name="Taken">Pages handed out, ever.</param>
/// <param name="Returned">Pages that came back, ever.</param>
public readonly record struct AllocatorStatistics(
    PageCount Managed, PageCount Free, PageCount OnStacks, PageCount Taken, PageCount Returned)
{
    /// <summary>Pages handed out now.</summary>
    public PageCount InUse => new(Managed.Value - Free.Value - OnStacks.Value);
}
