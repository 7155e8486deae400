using Mm.Core.Checks;

namespace Mm.Core.PhysRanges;

/// <summary>The providers of a machine, found by physical address.</summary>
/// <remarks>
/// It knows apertures and owns none: a provider registers when its device binds and leaves before it unbinds.
/// Apertures may be of any size, also below a page, and lie as close as they like, but never overlap.
/// <para><b>Linux:</b> nothing in v6.12, where the page map of a page is asked; the interval tree by physical address
/// that the physr discussion asks for.</para>
/// <para><b>Invariants:</b> (1) apertures are disjoint and not empty; (2) each provider has one owner identity from its
/// registration until it leaves.</para>
/// <para><b>Locking:</b> look-ups take no lock and see the map before or after a change, never in between. Changes
/// exclude each other; they are meant for hotplug, and cost time in proportion to the number of providers.</para>
/// </remarks>
public sealed class ProviderMap : IRangeOwnerSource, IValidator
{
    private readonly Lock changing = new();

    // Atomic: replaced as a whole under `changing`; the acquire read in a look-up pairs with the release write in Publish.
    private volatile Snapshot current = Snapshot.Empty;

    /// <summary>How many providers are registered.</summary>
    public int Count => current.Index.Count;

    /// <inheritdoc/>
    public long Version => current.Version;

    /// <summary>Registers a provider for its aperture.</summary>
    /// <param name="provider">The provider.</param>
    /// <param name="registration">Ends the registration when disposed; null when refused.</param>
    /// <returns>
    /// <see cref="Errno.EINVAL"/>: the aperture is empty.
    /// <see cref="Errno.EEXIST"/>: this provider is registered already.
    /// <see cref="Errno.EBUSY"/>: the aperture overlaps another provider's, as request_mem_region() answers.
    /// </returns>
    public Errno TryRegister(IP2pProvider provider, out ProviderRegistration? registration)
    {
        ArgumentNullException.ThrowIfNull(provider);
        return TryRegister([provider], out registration);
    }

    /// <summary>Registers several providers at once, all or none.</summary>
    /// <param name="providers">The providers.</param>
    /// <param name="registration">Ends the registration of all of them when disposed; null when refused.</param>
    /// <returns>As <see cref="TryRegister(IP2pProvider, out ProviderRegistration?)"/>, for any of them; overlaps within <paramref name="providers"/> count.</returns>
    public Errno TryRegister(IReadOnlyCollection<IP2pProvider> providers, out ProviderRegistration? registration)
    {
        ArgumentNullException.ThrowIfNull(providers);
        registration = null;
        var added = new List<Entry>(providers.Count);
        foreach (IP2pProvider provider in providers)
        {
            if (Check.Enabled)
            {
                P2pProviderContract.ThrowIfBroken(provider);
            }

            added.Add(new Entry(provider.Aperture, provider, RangeOwner.ForProvider(provider)));
        }

        lock (changing)
        {
            Snapshot before = current;
            Entry[] merged = [.. before.Entries, .. added];
            Array.Sort(merged, static (left, right) => left.Aperture.Start.CompareTo(right.Aperture.Start));
            Errno errno = Judge(before, added, merged);
            if (!errno.IsOk)
            {
                return errno;
            }

            current = new Snapshot(merged, before.Version + 1);
        }

        registration = new ProviderRegistration(this, [.. added.Select(static entry => entry.Owner)]);
        return Errno.Ok;
    }

    /// <summary>Finds the provider that answers for an address.</summary>
    /// <param name="address">The address.</param>
    /// <returns>The provider, or null when no aperture holds the address.</returns>
    public IP2pProvider? Find(PhysAddr address)
    {
        Snapshot snapshot = current;
        int index = snapshot.Index.FindAtOrBelow(address);
        if (index < 0)
        {
            return null;
        }

        ref readonly Entry below = ref snapshot.Entries[index]; // its aperture and its provider lie side by side
        return below.Aperture.Contains(address) ? below.Provider : null;
    }

    /// <inheritdoc/>
    public RangeOwner? FindOwner(PhysAddr address, out PhysRange extent)
    {
        Snapshot snapshot = current;
        int index = snapshot.Index.FindExtent(address, out extent);
        return index >= 0 ? snapshot.Entries[index].Owner : null;
    }

    /// <summary>All providers, ascending by address.</summary>
    /// <returns>A copy that later changes do not reach.</returns>
    public IReadOnlyList<IP2pProvider> CollectProviders() => [.. current.Entries.Select(static entry => entry.Provider)];

    /// <summary>Recounts what the map claims.</summary>
    /// <exception cref="MmBugException">An invariant does not hold.</exception>
    public void Validate()
    {
        Snapshot snapshot = current;
        Check.That(snapshot.Entries.Length == snapshot.Index.Count, "one entry for each indexed aperture");
        for (int index = 0; index < snapshot.Entries.Length; index++)
        {
            Entry entry = snapshot.Entries[index];
            Check.That(entry.Aperture == entry.Provider.Aperture, $"{entry.Provider.Name}: an aperture never changes");
            Check.That(snapshot.Index.Find(entry.Aperture.Start) == index, $"invariant 1: {entry.Aperture} finds its entry");
            Check.That(ReferenceEquals(entry.Owner.Provider, entry.Provider), "invariant 2: the owner names the provider");
        }
    }

    /// <summary>Ends the registration of the providers that these owners stand for.</summary>
    internal void Unregister(RangeOwner[] leaving)
    {
        lock (changing)
        {
            Snapshot before = current;
            var gone = new HashSet<RangeOwner>(leaving);
            Entry[] rest = [.. before.Entries.Where(entry => !gone.Contains(entry.Owner))];
            Check.That(rest.Length + leaving.Length == before.Entries.Length, "who leaves was there");
            current = new Snapshot(rest, before.Version + 1);
        }
    }

    private static Errno Judge(Snapshot before, List<Entry> added, Entry[] merged)
    {
        var known = new HashSet<IP2pProvider>(
            before.Entries.Select(static entry => entry.Provider), ReferenceEqualityComparer.Instance);
        foreach (Entry entry in added)
        {
            if (entry.Aperture.IsEmpty)
            {
                return Errno.EINVAL;
            }

            if (!known.Add(entry.Provider))
            {
                return Errno.EEXIST;
            }
        }

        for (int index = 1; index < merged.Length; index++)
        {
            if (merged[index - 1].Aperture.Overlaps(merged[index].Aperture))
            {
                return Errno.EBUSY;
            }
        }

        return Errno.Ok;
    }

    private readonly record struct Entry(PhysRange Aperture, IP2pProvider Provider, RangeOwner Owner);

    private sealed class Snapshot(Entry[] entries, long version)
    {
        internal static Snapshot Empty { get; } = new([], 0);

        internal Entry[] Entries { get; } = entries;

        internal PhysRangeIndex Index { get; } =
            new([.. entries.Select(static entry => entry.Aperture)]);

        internal long Version { get; } = version;
    }
}
