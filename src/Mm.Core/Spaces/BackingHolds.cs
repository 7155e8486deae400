using Mm.Core.Checks;

namespace Mm.Core.Spaces;

/// <summary>The backings that one address space maps: each is told when it begins and when it ends.</summary>
/// <remarks>
/// Owns a place in each backing's list of spaces.
/// <para><b>Linux:</b> vm_file and vm_ops-&gt;open and close of each area (v6.12), counted by space instead of by area.</para>
/// <para><b>Invariants:</b> (1) it holds exactly the backings of the space's areas.</para>
/// <para><b>Locking:</b> the space's lock, for writing.</para>
/// </remarks>
internal sealed class BackingHolds(AddressSpace space) : IValidator
{
    private readonly List<AreaBacking> holds = [];

    /// <summary>Holds what a new area shows; nothing where that is no backing, or held already.</summary>
    /// <param name="traits">The area's traits.</param>
    internal void Hold(AreaTraits traits)
    {
        if (traits.Backing is AreaBacking backing && !holds.Contains(backing))
        {
            holds.Add(backing);
            backing.Add(space);
        }
    }

    /// <summary>Lets go of what no area shows any more.</summary>
    internal void Reconcile()
    {
        for (int index = holds.Count - 1; index >= 0; index--)
        {
            AreaBacking backing = holds[index];
            if (!IsShown(backing))
            {
                holds.RemoveAt(index);
                backing.Remove(space);
            }
        }
    }

    /// <inheritdoc/>
    public void Validate()
    {
        foreach (AreaBacking backing in holds)
        {
            Check.That(IsShown(backing), "invariant 1: a space holds a backing that none of its areas shows");
            Check.That(backing.CollectSpaces().Count(other => other == space) == 1, "invariant 1 of AreaBacking: a space is listed once");
        }

        foreach (Area area in space.AreaSet.Areas)
        {
            bool isHeld = area.Traits.Backing is not AreaBacking backing || holds.Contains(backing);
            Check.That(isHeld, $"invariant 1: {area} shows a backing that its space does not hold");
        }
    }

    private bool IsShown(AreaBacking backing)
    {
        foreach (Area area in space.AreaSet.Areas)
        {
            if (area.Traits.Backing == backing)
            {
                return true;
            }
        }

        return false;
    }
}
