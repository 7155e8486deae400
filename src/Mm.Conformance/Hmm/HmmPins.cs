using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Conformance.Hmm;

/// <summary>The pins of one process: registered buffers by slot, and the one set of the GUP test device.</summary>
/// <remarks><b>Linux:</b> io_pin_pages, and pin_longterm_test_start of mm/gup_test.c (v6.12).</remarks>
internal sealed class HmmPins(Machine machine) : IDisposable
{
    private readonly Dictionary<ulong, PagePin[]> slots = [];
    private PagePin[] set = [];

    /// <summary>Registers a buffer: all of it, or nothing.</summary>
    /// <param name="space">Whose.</param>
    /// <param name="slot">Which slot; what it had goes.</param>
    /// <param name="range">The pages.</param>
    /// <returns>Ok, or EFAULT and what else a pin says.</returns>
    internal Errno TryRegister(AddressSpace space, ulong slot, VirtRange range)
    {
        var pins = new PagePin[PagesOf(range)];
        Errno errno = space.TryPin(range.Start, PinFlags.Write | PinFlags.LongTerm | PinFlags.Fast, pins, out int count);
        if (errno.IsOk && count == pins.Length)
        {
            Unregister(slot);
            slots[slot] = pins;
            return Errno.Ok;
        }

        Drop(pins.AsSpan(0, count));
        return errno.IsOk ? Errno.EFAULT : errno;
    }

    /// <summary>Drops a buffer.</summary>
    /// <param name="slot">Which slot.</param>
    internal void Unregister(ulong slot)
    {
        if (slots.Remove(slot, out PagePin[]? pins))
        {
            Drop(pins);
        }
    }

    /// <summary>Pins the set, call by call until all is pinned.</summary>
    /// <param name="space">Whose.</param>
    /// <param name="range">The pages.</param>
    /// <param name="flags">What for.</param>
    /// <returns>Ok; EINVAL: there is a set already; otherwise what a pin says.</returns>
    internal Errno TryPinSet(AddressSpace space, VirtRange range, PinFlags flags)
    {
        if (set.Length != 0)
        {
            return Errno.EINVAL;
        }

        var pins = new PagePin[PagesOf(range)];
        for (int done = 0; done < pins.Length;)
        {
            var at = new VirtAddr(range.Start.Value + ((ulong)done << PageSize.Small.Shift));
            Errno errno = space.TryPin(at, flags | PinFlags.LongTerm, pins.AsSpan(done), out int count);
            if (!errno.IsOk)
            {
                Drop(pins.AsSpan(0, done));
                return errno;
            }

            done += count;
        }

        set = pins;
        return Errno.Ok;
    }

    /// <summary>Drops the set.</summary>
    internal void UnpinSet()
    {
        Drop(set);
        set = [];
    }

    /// <summary>What the set sees.</summary>
    /// <returns>The bytes of each page, or null when there is no set.</returns>
    internal string? ReadSet()
    {
        if (set.Length == 0)
        {
            return null;
        }

        byte[] bytes = new byte[set.Length << PageSize.Small.Shift];
        for (int index = 0; index < set.Length; index++)
        {
            using SpanLease lease = machine.Lease(new PhysRange(set[index].Page.Address, PageSize.Small.Bytes));
            lease.Bytes.CopyTo(bytes.AsSpan(index << PageSize.Small.Shift));
        }

        return HmmAnswers.Data(bytes);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        UnpinSet();
        foreach (PagePin[] pins in slots.Values)
        {
            Drop(pins);
        }

        slots.Clear();
    }

    private static int PagesOf(VirtRange range) => (int)(range.Length.Value >> PageSize.Small.Shift);

    private static void Drop(Span<PagePin> pins)
    {
        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }
    }
}
