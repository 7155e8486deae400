using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>How many pages somebody has locked in memory, and how many are allowed: a user's, or an address space's.</summary>
/// <remarks>
/// <para><b>Linux:</b> user_struct::locked_vm and mm_struct::locked_vm with RLIMIT_MEMLOCK, as
/// drivers/iommu/iommufd/pages.c charges them (v6.12).</para>
/// <para><b>Invariants:</b> (1) what is locked never passes the limit.</para>
/// <para><b>Locking:</b> safe from any thread; atomic.</para>
/// </remarks>
/// <param name="limit">How many pages may be locked.</param>
public sealed class PinAccount(PageCount limit)
{
    private long locked; // atomic

    /// <summary>How many pages may be locked.</summary>
    public PageCount Limit { get; } = limit;

    /// <summary>How many pages are locked.</summary>
    public PageCount Locked => new((ulong)Interlocked.Read(ref locked));

    /// <summary>Charges pages.</summary>
    /// <param name="pages">How many.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: the limit would be passed; nothing is charged.</returns>
    internal Errno TryCharge(PageCount pages)
    {
        long before = Interlocked.Read(ref locked);
        while (true)
        {
            ulong after = (ulong)before + pages.Value;
            if (after > Limit.Value)
            {
                return Errno.ENOMEM;
            }

            long seen = Interlocked.CompareExchange(ref locked, (long)after, before);
            if (seen == before)
            {
                return Errno.Ok;
            }

            before = seen;
        }
    }

    /// <summary>Takes a charge back.</summary>
    /// <param name="pages">How many; charged before.</param>
    internal void Uncharge(PageCount pages)
    {
        long after = Interlocked.Add(ref locked, -(long)pages.Value);
        Core.Checks.Check.That(after >= 0, $"pin account: {-after} pages uncharged too many");
    }
}
