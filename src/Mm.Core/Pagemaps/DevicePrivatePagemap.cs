namespace Mm.Core.Pagemaps;

/// <summary>A page map of memory that no CPU can address.</summary>
/// <remarks>
/// Has no member that would lease bytes, on purpose: only the device's own engine gets at them.
/// <para><b>Linux:</b> dev_pagemap of type MEMORY_DEVICE_PRIVATE (v6.12).</para>
/// <para>States, invariants and locking: <see cref="Pagemap"/>.</para>
/// </remarks>
public sealed class DevicePrivatePagemap : Pagemap
{
    internal DevicePrivatePagemap(PagemapRequest request, ushort index, PagemapParts parts)
        : base(request, index, parts)
    {
    }
}
