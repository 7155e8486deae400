namespace Mm.Core.Pagemaps;

/// <summary>A CPU's fault on a page that a device holds, as the page's driver is told of it.</summary>
/// <remarks>
/// What it says of the address space is a room further down: its one implementation is there, and a driver that migrates
/// takes it from there.
/// <para><b>Linux:</b> struct vm_fault (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
public interface IDevicePageFault
{
    /// <summary>The device's page.</summary>
    Pfn Page { get; }

    /// <summary>The address that was touched, rounded down to its page.</summary>
    VirtAddr Address { get; }
}
