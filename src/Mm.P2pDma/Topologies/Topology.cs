using Mm.Core;
using Mm.Core.Locking;

namespace Mm.P2pDma.Topologies;

/// <summary>The PCI trees of one or several hosts, edited in place: hotplug, ACS, facts that became known.</summary>
/// <remarks>
/// Owns the current <see cref="TopologySnapshot"/>. Not responsible for verdicts; whoever keeps one holds a token of
/// <see cref="Validity"/> with it, and asks again when the token died.
/// <para><b>Linux:</b> the PCI device tree with hot add, hot removal and setpci (v6.12). Deliberately different: Linux's
/// peer-to-peer verdicts are cached and never dropped; every edit here ends all tokens.</para>
/// <para><b>Invariants:</b> (1) a refused edit changes nothing; (2) after an edit returned, every token taken before it
/// is dead and <see cref="Snapshot"/> shows the edit.</para>
/// <para><b>Locking:</b> edits exclude each other by a lock of rank <see cref="LockRank.Topology"/>; readers take <see cref="Snapshot"/> without
/// one. To pair a snapshot with a token, take the token first: then either the snapshot is as new or the token dies.</para>
/// </remarks>
public sealed class Topology
{
    private readonly RankedLock editing = new(LockRank.Topology);
    private readonly ValiditySource validity = new();

    // Written under `editing`; volatile, so that a reader without the lock sees a whole snapshot.
    private volatile TopologySnapshot current;

    internal Topology(TopologySnapshot snapshot) => current = snapshot;

    /// <summary>The present state, which never changes under its reader.</summary>
    public TopologySnapshot Snapshot => current;

    /// <summary>A token that dies with the next edit.</summary>
    public ValidityToken Validity => validity.Token;

    /// <summary>An independent topology that starts from the present state: for asking what an edit would do, without doing it here.</summary>
    /// <returns>The copy; it shares nothing that an edit can change.</returns>
    public Topology Fork() => new(current);

    /// <summary>What the tokens come from, for sources that are to end with every edit.</summary>
    internal ValiditySource ValiditySource => validity;

    /// <summary>Hot-adds a function.</summary>
    /// <param name="function">The function; on a root bus it comes last, as in Linux.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>EEXIST: the address is taken, or a BAR is there twice. ENODEV: parent, host bridge or host does not
    /// exist. EINVAL: the parent is no bridge, or is on another host bridge.</returns>
    public Errno TryAdd(PciFunction function, out TopologyDefect defect)
    {
        ArgumentNullException.ThrowIfNull(function);
        return TryAddSubtree([function], out defect);
    }

    /// <summary>Hot-adds functions together, in any order: a switch with all that hangs below.</summary>
    /// <param name="functions">The functions; on a root bus they come last, as in Linux.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>As <see cref="TryAdd"/>; EINVAL also for a cycle.</returns>
    public Errno TryAddSubtree(IReadOnlyList<PciFunction> functions, out TopologyDefect defect)
    {
        ArgumentNullException.ThrowIfNull(functions);
        return TryEdit(parts => AddAll(parts, functions), out defect);
    }

    /// <summary>Hot-removes a function and everything below it, and the interconnect facts that name what went.</summary>
    /// <param name="place">The function.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>ENODEV: no such function.</returns>
    public Errno TryRemove(PciPlace place, out TopologyDefect defect) =>
        TryEdit(parts => RemoveSubtree(parts, place), out defect);

    /// <summary>Writes a function's ACS control, or says what became known of it.</summary>
    /// <param name="place">The function.</param>
    /// <param name="acs">The new value.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>ENODEV: no such function.</returns>
    public Errno TrySetAcs(PciPlace place, AcsControl acs, out TopologyDefect defect) =>
        TryEdit(parts => Change(parts, place, function => function with { Acs = acs }), out defect);

    /// <summary>Puts new facts in place of a function's: BARs after a resize, its identity, its link.</summary>
    /// <param name="function">The facts; place, parent and host bridge must be as they are.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>ENODEV: no such function. EINVAL: it hangs elsewhere, or has functions below and would be no bridge.
    /// EEXIST: a BAR is there twice.</returns>
    public Errno TryReplace(PciFunction function, out TopologyDefect defect)
    {
        ArgumentNullException.ThrowIfNull(function);
        return TryEdit(parts => Replace(parts, function), out defect);
    }

    /// <summary>Says what became known of a host: its CPUs, its name.</summary>
    /// <param name="host">The facts, of a host that exists.</param>
    /// <param name="defect">What is wrong, or nothing.</param>
    /// <returns>ENODEV: no such host.</returns>
    public Errno TrySetHost(TopologyHost host, out TopologyDefect defect)
    {
        ArgumentNullException.ThrowIfNull(host);
        return TryEdit(parts => SetHost(parts, host), out defect);
    }

    private static TopologyDefect AddAll(TopologyParts parts, IReadOnlyList<PciFunction> functions)
    {
        parts.Functions.AddRange(functions);
        return default;
    }

    private static TopologyDefect RemoveSubtree(TopologyParts parts, PciPlace place)
    {
        if (parts.Functions.FindIndex(function => function.Place == place) < 0)
        {
            return Missing(place);
        }

        var children = parts.Functions
            .Where(function => function.Parent is not null)
            .ToLookup(function => new PciPlace(function.Host, function.Parent!.Value), function => function.Place);
        var gone = new HashSet<PciPlace>();
        var pending = new Stack<PciPlace>([place]);
        while (pending.TryPop(out PciPlace next))
        {
            if (!gone.Add(next))
            {
                continue;
            }

            foreach (PciPlace child in children[next])
            {
                pending.Push(child);
            }
        }

        parts.Functions.RemoveAll(function => gone.Contains(function.Place));
        parts.Interconnects.RemoveAll(link => gone.Contains(link.From) || (link.To is { } to && gone.Contains(to)));
        return default;
    }

    private static TopologyDefect Replace(TopologyParts parts, PciFunction function)
    {
        int index = parts.Functions.FindIndex(candidate => candidate.Place == function.Place);
        if (index < 0)
        {
            return Missing(function.Place);
        }

        PciFunction old = parts.Functions[index];
        if (old.Parent != function.Parent || (function.HostBridge is not null && old.HostBridge != function.HostBridge))
        {
            string target = function.Parent?.ToString() ?? $"root bus {function.HostBridge}";
            return new TopologyDefect(TopologyDefectKind.PlaceChanged, function.Place.ToString(), target)
            {
                Place = function.Place,
            };
        }

        parts.Functions[index] = function with { HostBridge = old.HostBridge };
        return default;
    }

    private static TopologyDefect Change(TopologyParts parts, PciPlace place, Func<PciFunction, PciFunction> change)
    {
        int index = parts.Functions.FindIndex(function => function.Place == place);
        if (index < 0)
        {
            return Missing(place);
        }

        parts.Functions[index] = change(parts.Functions[index]);
        return default;
    }

    private static TopologyDefect SetHost(TopologyParts parts, TopologyHost host)
    {
        int index = parts.Hosts.FindIndex(candidate => candidate.Id == host.Id);
        if (index < 0)
        {
            return new TopologyDefect(TopologyDefectKind.MissingHost, "the edit", host.Id.ToString());
        }

        parts.Hosts[index] = host;
        return default;
    }

    private static TopologyDefect Missing(PciPlace place) =>
        new(TopologyDefectKind.MissingFunction, place.ToString(), null) { Place = place };

    private Errno TryEdit(Func<TopologyParts, TopologyDefect> edit, out TopologyDefect defect)
    {
        using (editing.Enter())
        {
            TopologyParts parts = current.CopyParts();
            defect = edit(parts);
            if (defect.Kind != TopologyDefectKind.None
                || !TopologySnapshot.TryCreate(parts, current.Version + 1, out TopologySnapshot? next, out defect))
            {
                return defect.Errno;
            }

            // Published before the tokens die: a token taken after the end vouches for the new snapshot only.
            current = next;
            validity.Invalidate();
            return Errno.Ok;
        }
    }
}
