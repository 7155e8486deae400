using Mm.Core.Pagemaps;

namespace Mm.Core.Spaces;

/// <summary>A CPU touched a page that a device holds: where, in whose memory.</summary>
/// <remarks>
/// Lives as long as the driver's call, and is another fault's afterwards. Its page is held, and locked unless the machine plays
/// a kernel that does not lock it.
/// <para><b>Linux:</b> struct vm_fault as migrate_to_ram gets it (v6.12).</para>
/// <para><b>Locking:</b> does not change during the call, and may be read from any thread until it returns.</para>
/// </remarks>
public sealed class DevicePageFault : IDevicePageFault
{
    /// <summary>Tells a fault.</summary>
    /// <param name="space">Whose memory.</param>
    /// <param name="area">The area; the space's lock is held, so it stays.</param>
    /// <param name="address">The page's address.</param>
    /// <param name="page">The device's page.</param>
    /// <param name="size">How much the entry that was touched covers.</param>
    public DevicePageFault(AddressSpace space, Area area, VirtAddr address, Pfn page, PageSize size = default)
    {
        Space = space;
        Area = area;
        Address = address;
        Page = page;
        Size = size;
    }

    /// <summary>Whose memory.</summary>
    public AddressSpace Space { get; private set; }

    /// <summary>The area.</summary>
    public Area Area { get; private set; }

    /// <summary>The page's address.</summary>
    public VirtAddr Address { get; private set; }

    /// <summary>The device's page. <b>Linux:</b> vmf-&gt;page, the fault_page of migrate_vma.</summary>
    public Pfn Page { get; private set; }

    /// <summary>How much the entry that was touched covers: of 2 MiB, the page is the first one of a folio, and the address any in it.</summary>
    public PageSize Size { get; private set; }

    /// <summary>Tells another fault of the same space, once nobody reads this one any more.</summary>
    /// <param name="area">The area.</param>
    /// <param name="address">The page's address.</param>
    /// <param name="page">The device's page.</param>
    /// <param name="size">How much the entry covers.</param>
    internal void Reset(Area area, VirtAddr address, Pfn page, PageSize size)
    {
        Area = area;
        Address = address;
        Page = page;
        Size = size;
    }
}
