namespace Mm.P2pDma.Routing;

/// <summary>The smallest change of ACS that lets clients reach a provider directly, or that there is none.</summary>
/// <remarks>
/// It is the only smallest one: the kernel wants every redirecting bit of every function on the way off, and no other
/// bit matters. Switching ACS off takes isolation away: the functions concerned can then reach each other past the IOMMU.
/// <para><b>Linux:</b> what <c>pci=disable_acs_redir=</c> does at boot (drivers/pci/pci.c, v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="IsPossible">Whether ACS is all that stands in the way: every pair has a common bridge.</param>
/// <param name="Clears">The bits that are known to be on and must go, by function; empty where nothing must.</param>
/// <param name="Unknown">The functions on the way whose ACS is not known, with the bits that must not be on.</param>
public sealed record AcsRemedy(bool IsPossible, IReadOnlyList<AcsClear> Clears, IReadOnlyList<AcsClear> Unknown)
{
    /// <summary>Whether every pair is known to go directly as it is.</summary>
    public bool IsNeedless => IsPossible && Clears.Count == 0 && Unknown.Count == 0;

    /// <summary>How many bits are known to have to go.</summary>
    public int BitCount => Clears.Sum(clear => int.PopCount((int)clear.Bits));

    /// <summary>The commands that do it, one a function; those for functions of unknown ACS last.</summary>
    /// <returns>The commands; empty where nothing helps or nothing is needed.</returns>
    public IReadOnlyList<string> ToSetPciLines() =>
        IsPossible ? [.. Clears.Concat(Unknown).Select(clear => clear.ToSetPci())] : [];
}
