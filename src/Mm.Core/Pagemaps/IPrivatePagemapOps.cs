namespace Mm.Core.Pagemaps;

/// <summary>What a driver must also do for memory that no CPU can address: bring a page back when a CPU touches it.</summary>
/// <remarks>
/// <b>Linux:</b> dev_pagemap_ops.migrate_to_ram (v6.12).
/// <para><b>Locking:</b> as for <see cref="IPagemapOps"/>.</para>
/// </remarks>
public interface IPrivatePagemapOps : IPagemapOps
{
    /// <summary>A CPU touched a page: migrate it to RAM.</summary>
    /// <param name="map">The page map.</param>
    /// <param name="fault">Which page, whose; its page is held, and locked by the fault, for the length of the call.</param>
    /// <returns>Ok, and the access looks again; <see cref="Errno.EFAULT"/> or another one: it cannot be done, and the access
    /// fails as a bus error.</returns>
    Errno TryMigrateToRam(Pagemap map, IDevicePageFault fault);
}
