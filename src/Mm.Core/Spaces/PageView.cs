namespace Mm.Core.Spaces;

/// <summary>What a process may learn of one of its pages.</summary>
/// <remarks><b>Linux:</b> an entry of /proc/PID/pagemap (v6.12). <c>default</c> is nothing. Immutable.</remarks>
/// <param name="IsPresent">A page is mapped, usable or not. <b>Linux:</b> PM_PRESENT.</param>
/// <param name="IsElsewhere">An entry stands there that is no mapping: a device has the page, or it is moving. <b>Linux:</b> PM_SWAP.</param>
/// <param name="IsExclusive">The page is present, and no other process maps it. <b>Linux:</b> PM_MMAP_EXCLUSIVE.</param>
/// <param name="IsOfFile">The page is a file's. <b>Linux:</b> PM_FILE.</param>
public readonly record struct PageView(bool IsPresent, bool IsElsewhere, bool IsExclusive, bool IsOfFile);
