namespace Mm.Core.Spaces;

/// <summary>What the owner of an <see cref="AreaBacking"/> does when processes map it and touch it.</summary>
/// <remarks>
/// Fills entries through the <see cref="AreaFilling"/> that it is given, and takes them away with
/// <see cref="AreaBacking.Unmap(PageCount, PageCount, bool)"/>. Whoever takes them away keeps its own faults out meanwhile:
/// a fault that runs at the same time could put back what was just taken. <see cref="AreaOperationsContract"/> holds an owner to
/// this page.
/// <para><b>Linux:</b> file_operations::mmap and vm_operations_struct: open, close, fault (v6.12). Differences: open and close
/// are told once for each space, not for each area; the handler always inserts by itself, as VM_FAULT_NOPAGE says.</para>
/// <para><b>Locking:</b> <see cref="TryMap"/> is called with the space's lock held for writing, <see cref="Fault"/> for
/// reading, and no ranked lock of Mm; neither may map, unmap or touch memory of the space.</para>
/// </remarks>
public interface IAreaOperations
{
    /// <summary>A process maps it: check what is asked, and fill entries that no fault is to bring.</summary>
    /// <param name="filling">The new area, which nobody else uses yet.</param>
    /// <returns>Ok; EINVAL: it cannot be mapped like this; ENODEV: it is gone; ENOMEM: no memory. Refused, the area goes again,
    /// with what was filled.</returns>
    Errno TryMap(AreaFilling filling) => Errno.Ok;

    /// <summary>An address that has no entry is touched.</summary>
    /// <param name="filling">The area.</param>
    /// <param name="fault">Where, and what for.</param>
    /// <returns>Done, once an entry stands there; bus error: nothing is behind the address, or it was taken away; out of memory.</returns>
    FaultResult Fault(AreaFilling filling, AreaFault fault) => FaultResult.BusError;

    /// <summary>A space maps it now that did not before.</summary>
    /// <param name="space">The space.</param>
    void Opened(AddressSpace space)
    {
    }

    /// <summary>A space maps nothing of it any more.</summary>
    /// <param name="space">The space, perhaps at its end.</param>
    void Closed(AddressSpace space)
    {
    }
}
