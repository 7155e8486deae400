using Mm.Core.Pagemaps;

namespace Mm.Core.Spaces;

/// <summary>A CPU touched a page that a device holds: where, in whose memory.</summary>
/// <remarks>
/// Lives as long as the driver's call. Its page is held, and locked unless the machine plays a kernel that does not lock it.
/// <para><b>Linux:</b> struct vm_fault as migrate_to_ram gets it (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Space">Whose memory.</param>
/// <param name="Area">The area; the space's lock is held, so it stays.</param>
/// <param name="Address">The page's address.</param>
/// <param name="Page">The device's page. <b>Linux:</b> vmf-&gt;page, the fault_page of migrate_vma.</param>
public sealed record DevicePageFault(AddressSpace Space, Area Area, VirtAddr Address, Pfn Page) : IDevicePageFault
{
    /// <summary>How much the entry that was touched covers: of 2 MiB, the page is the first one of a folio, and the address any in it.</summary>
    public PageSize Size { get; init; }
}
