using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Devices.Iommufd;

/// <summary>What one user of I/O address spaces has open: its spaces, and who pays for pinned pages.</summary>
/// <remarks>
/// Owns its spaces. Not responsible for devices, which are behind domains (<see cref="IoDomain"/>).
/// <para><b>Linux:</b> struct iommufd_ctx, /dev/iommu opened (drivers/iommu/iommufd/main.c, v6.12). Difference: objects
/// are references of C#, not numbers in a table.</para>
/// <para><b>Invariants:</b> (1) without spaces nothing is pinned and nothing charged.</para>
/// <para><b>Locking:</b> safe from any thread; <see cref="Dispose"/> and <see cref="Validate"/> want it at rest.</para>
/// </remarks>
public sealed partial class IommufdContext : IDisposable
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<IoAddressSpace> spaces = []; // protected by gate
    private PinAccount? account; // protected by gate; changed while there are no spaces
    private int livePages; // atomic

    /// <summary>Opens it.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="account">Who pays for pinned pages; nobody, as for a user with CAP_IPC_LOCK, where null.</param>
    public IommufdContext(Machine machine, PinAccount? account = null)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Machine = machine;
        this.account = account;
    }

    /// <summary>Where pinning (EFAULT), charging and scratch memory (ENOMEM), a domain's map (ENOENT) and an access's read (EINVAL) can be made to fail.</summary>
    /// <remarks><b>Linux:</b> fail_iommufd (v6.12); allocations of objects fail at <see cref="FaultPoint.Slab"/>.</remarks>
    public static FaultPoint Fault { get; } = new("fail_iommufd");

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>How many spaces there are.</summary>
    public int SpaceCount
    {
        get
        {
            using (gate.Enter())
            {
                return spaces.Count;
            }
        }
    }

    /// <summary>How many map calls still have pages behind an area.</summary>
    public int LiveMapCount => Volatile.Read(ref livePages);

    internal FaultInjector Faults => Machine.Faults;

    /// <summary>Makes a space without limits and without mappings.</summary>
    /// <param name="space">The space, or null when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: a failure was planned at <see cref="FaultPoint.Slab"/>.</returns>
    /// <remarks><b>Linux:</b> IOMMU_IOAS_ALLOC (v6.12).</remarks>
    public Errno TryCreateSpace(out IoAddressSpace? space)
    {
        space = null;
        if (Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        space = new IoAddressSpace(this);
        using (gate.Enter())
        {
            spaces.Add(space);
        }

        return Errno.Ok;
    }

    /// <summary>Changes who pays for pinned pages.</summary>
    /// <param name="payer">The account; nobody where null.</param>
    /// <returns><see cref="Errno.EBUSY"/>: there is a space.</returns>
    /// <remarks><b>Linux:</b> IOMMU_OPTION_RLIMIT_MODE (v6.12).</remarks>
    public Errno TrySetAccount(PinAccount? payer)
    {
        using (gate.Enter())
        {
            if (spaces.Count > 0)
            {
                return Errno.EBUSY;
            }

            account = payer;
        }

        return Errno.Ok;
    }

    /// <summary>Recounts all spaces and all pages behind them.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        IoAddressSpace[] all = CopySpaces();
        ILookup<IoPages, IoArea> areas = all.SelectMany(space => space.CollectAreas()).ToLookup(area => area.Pages!);
        Check.That(areas.Count == LiveMapCount, $"iommufd: {areas.Count} pages have areas, {LiveMapCount} live");
        ulong pinned = 0;
        foreach (IGrouping<IoPages, IoArea> group in areas)
        {
            group.Key.Validate([.. group]);
            pinned += group.Key.PinnedCount;
        }

        foreach (IoAddressSpace space in all)
        {
            space.Validate();
        }

        Check.That(all.Length > 0 || pinned == 0, "iommufd invariant 1: pins without a space");
    }

    /// <summary>Closes it: accesses are closed, domains removed, mappings undone. Twice does nothing.</summary>
    /// <exception cref="InvalidOperationException">An access keeps its pins.</exception>
    public void Dispose()
    {
        foreach (IoAddressSpace space in CopySpaces())
        {
            space.Close();
        }
    }

    internal void Forget(IoAddressSpace space)
    {
        using (gate.Enter())
        {
            _ = spaces.Remove(space);
        }
    }

    internal void CountPages(int change) => Interlocked.Add(ref livePages, change);

    /// <summary>Charges pages to who pays.</summary>
    /// <returns>ENOMEM: over the limit, or a planned failure.</returns>
    internal Errno TryCharge(PageCount pages)
    {
        if (pages.IsZero)
        {
            return Errno.Ok;
        }

        return Faults.ShouldFail(Fault) ? Errno.ENOMEM : account?.TryCharge(pages) ?? Errno.Ok;
    }

    internal void Uncharge(PageCount pages) => account?.Uncharge(pages);

    private IoAddressSpace[] CopySpaces()
    {
        using (gate.Enter())
        {
            return [.. spaces];
        }
    }
}
