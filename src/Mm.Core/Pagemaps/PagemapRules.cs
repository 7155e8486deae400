namespace Mm.Core.Pagemaps;

/// <summary>What each kind of page map asks of its request and does with its pages.</summary>
/// <remarks>
/// Pure. <b>Linux:</b> the switch in memremap_pages, and the kinds named in free_zone_device_folio (mm/memremap.c, v6.12).
/// </remarks>
internal static class PagemapRules
{
    /// <summary>Whether a request has what its kind needs.</summary>
    /// <param name="request">The request.</param>
    /// <param name="missing">What is missing, for messages; empty when nothing is.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: no range; no kind; private memory without an owner, without page_free or without
    /// migrate_to_ram; coherent memory without an owner or without page_free.
    /// </returns>
    internal static Errno Check(PagemapRequest request, out string missing)
    {
        missing = request switch
        {
            { Ranges.Count: 0 } => "a range",
            { Kind: < PagemapKind.DevicePrivate or > PagemapKind.PciP2pDma } => "a kind",
            { Kind: PagemapKind.DevicePrivate, Ops: null } => "page_free",
            { Kind: PagemapKind.DevicePrivate, Ops: not IPrivatePagemapOps } => "migrate_to_ram",
            { Kind: PagemapKind.DeviceCoherent, Ops: null } => "page_free",
            { Kind: PagemapKind.DevicePrivate or PagemapKind.DeviceCoherent, Owner: null } => "an owner",
            _ => "",
        };
        return missing.Length == 0 ? Errno.Ok : Errno.EINVAL;
    }

    /// <summary>How pages of a kind are handed out.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="profile">Which Linux.</param>
    /// <returns>The rule.</returns>
    internal static HandOutRule HandOut(PagemapKind kind, LinuxProfile profile) => kind switch
    {
        PagemapKind.DevicePrivate or PagemapKind.DeviceCoherent => HandOutRule.FromZero,
        PagemapKind.Generic => HandOutRule.PassOneOn,
        _ when !profile.IdleDevicePagesHoldReference => HandOutRule.FromZero,
        PagemapKind.FsDax => HandOutRule.AddToOne,
        _ => HandOutRule.PassOneOn,
    };
}
