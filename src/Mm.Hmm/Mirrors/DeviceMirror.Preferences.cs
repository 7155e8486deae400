using Mm.Core;
using Mm.Core.Locking;
using Mm.Hmm.Migration;

namespace Mm.Hmm.Mirrors;

/// <content>Where the driver wants memory to lie: its own policy, which mbind cannot say, since no node stands for its memory.</content>
public sealed partial class DeviceMirror
{
    private readonly List<VirtRange> preferred = []; // protected by gate; in order, not touching

    /// <summary>Says that a range is best in the device's memory: the device's next fault there moves it, holes included. Nothing
    /// moves, and no memory is taken, before the device touches it; what a CPU touches comes back, as ever.</summary>
    /// <param name="range">Whole pages, mapped or not.</param>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    /// <remarks><b>Linux:</b> the preferred location that drivers keep beside their page tables: drm_gpusvm's users (v6.19),
    /// nouveau's svm ioctl (v6.12). It is only a wish: what cannot move is mapped where it is.</remarks>
    public void Prefer(VirtRange range)
    {
        RequirePages(range);
        using RankedLock.Guard _ = gate.Enter();
        RemovePreference(range);
        preferred.Add(range);
    }

    /// <summary>Takes such a wish back. What lies on the device stays there.</summary>
    /// <param name="range">Whole pages.</param>
    /// <exception cref="ArgumentException">The range is not whole pages.</exception>
    /// <exception cref="ObjectDisposedException">The mirror is closed.</exception>
    public void Unprefer(VirtRange range)
    {
        RequirePages(range);
        using RankedLock.Guard _ = gate.Enter();
        RemovePreference(range);
    }

    private void RemovePreference(VirtRange range)
    {
        foreach (VirtRange old in preferred.ToArray())
        {
            if (old.Overlaps(range))
            {
                _ = preferred.Remove(old);
                AddPreference(old.Start.Value, Math.Min(EndOf(old), range.Start.Value));
                AddPreference(Math.Max(old.Start.Value, EndOf(range)), EndOf(old));
            }
        }
    }

    private void AddPreference(ulong start, ulong end)
    {
        if (start < end)
        {
            preferred.Add(new VirtRange(new VirtAddr(start), new ByteCount(end - start)));
        }
    }

    // What the wish covers of a range that is about to be faulted goes to the device first; whatever stays, the fault maps.
    private void MovePreferred(VirtRange range)
    {
        VirtRange[] parts;
        using (gate.Enter())
        {
            parts = preferred.Count == 0 ? [] : [.. preferred.Where(wish => wish.Overlaps(range))];
        }

        foreach (VirtRange wish in parts)
        {
            ulong start = Math.Max(wish.Start.Value, range.Start.Value);
            ulong end = Math.Min(EndOf(wish), EndOf(range));
            _ = TryMigrate(
                new VirtRange(new VirtAddr(start), new ByteCount(end - start)), MigrateSelect.System, toDevice: true, out _, tell: null);
        }
    }
}
