namespace Mm.Core.Spaces;

/// <summary>What an area's owner is asked for: a page of its backing at an address.</summary>
/// <remarks>
/// <b>Linux:</b> struct vm_fault, as fault gets it (v6.12).
/// <para><c>default</c> is a read of the first page at address 0. Immutable.</para>
/// </remarks>
/// <param name="Address">The page's address.</param>
/// <param name="Offset">Which page of the backing.</param>
/// <param name="IsWrite">Whether it is to be written.</param>
public readonly record struct AreaFault(VirtAddr Address, PageCount Offset, bool IsWrite);
