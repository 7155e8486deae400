namespace Mm.Core.Spaces;

/// <summary>Gives entries the protection that their area has now.</summary>
/// <remarks>
/// What was writable of a process's own page becomes so again at once, without a fault, when the page is exclusive.
/// <para><b>Linux:</b> change_pte_range and change_huge_pmd (v6.12).</para>
/// <para><b>Locking:</b> the space's lock, for writing.</para>
/// </remarks>
internal readonly struct ProtectRule : IPteRule
{
    private readonly PteProtection protection;
    private readonly bool upgrades;
    private readonly AddressSpaces owner;

    /// <summary>The rule for one area.</summary>
    /// <param name="space">The space.</param>
    /// <param name="area">The area, with its new access.</param>
    internal ProtectRule(AddressSpace space, Area area)
    {
        owner = space.Owner;
        protection = area.EntryProtection;
        upgrades = area.Traits.IsCow && (area.Traits.Access & AreaAccess.Write) != AreaAccess.None;
    }

    /// <inheritdoc/>
    public Pte Next(VirtAddr at, Pte entry)
    {
        if (entry.IsPresent)
        {
            Pte next = entry.Modify(entry.IsZeroPage && protection == PteProtection.ReadWrite ? PteProtection.Read : protection);
            return upgrades && next.IsAccessible && next.IsAnonExclusive ? next.MakeWritable() : next;
        }

        // Also when write access comes: a fault decides then.
        if (entry.IsWritableMigration)
        {
            return owner.IsAnonymous(entry.Frame) ? entry.MakeReadableExclusive() : entry.MakeReadable();
        }

        return entry.IsWritableDevicePrivate || entry.IsWritableDeviceExclusive ? entry.MakeWriteless() : entry;
    }

    /// <inheritdoc/>
    public void Changed(VirtAddr at, Pte before, Pte after)
    {
    }
}
