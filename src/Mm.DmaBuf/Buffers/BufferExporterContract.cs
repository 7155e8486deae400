using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Buffers;

/// <summary>What every <see cref="IBufferExporter"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// The calls check the answer where <see cref="Check.Enabled"/>. A broken promise is a mistake of the exporter's author,
/// hence an <see cref="ArgumentException"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class BufferExporterContract
{
    /// <summary>Asks for a client's terms, and checks that they give no more than it allows.</summary>
    /// <param name="exporter">The exporter.</param>
    /// <param name="client">Who attaches.</param>
    /// <param name="terms">What is agreed, or why it was refused.</param>
    /// <returns>As <see cref="IBufferExporter.TryAttach"/>.</returns>
    /// <exception cref="ArgumentException">The terms give a peer's memory to who does not allow it.</exception>
    public static Errno TryAttach(IBufferExporter exporter, BufferClient client, out PeerTerms terms)
    {
        ArgumentNullException.ThrowIfNull(exporter);
        Errno errno = exporter.TryAttach(client, out terms);
        if (Check.Enabled)
        {
            bool isMore = errno.IsOk && terms.IsPeerToPeer && !client.IsPeerToPeer;
            Require(!isMore, exporter, $"TryAttach({client}) must not agree on what the importer does not allow");
        }

        return errno;
    }

    /// <summary>Asks where the bytes are, and checks that they are all there and that an unchanged place is the same list.</summary>
    /// <param name="exporter">The exporter.</param>
    /// <param name="held">The buffer's reservation, locked.</param>
    /// <param name="client">For whom.</param>
    /// <param name="previous">The list of the last answer; null for none.</param>
    /// <param name="list">All bytes in order; null when refused.</param>
    /// <returns>As <see cref="IBufferExporter.TryGetList"/>.</returns>
    /// <exception cref="ArgumentException">The list is none, not valid, of another size, new though nothing moved,
    /// or holds memory of a peer that was not agreed on.</exception>
    public static Errno TryGetList(
        IBufferExporter exporter, ReservationLock held, BufferClient client, PhysRangeList? previous, out PhysRangeList? list)
    {
        ArgumentNullException.ThrowIfNull(exporter);
        Errno errno = exporter.TryGetList(held, client, out list);
        if (Check.Enabled)
        {
            RequireList(exporter, errno, previous, list);
            RequireNoPeer(exporter, client, list);
        }

        return errno;
    }

    /// <summary>Checks what an exporter says of itself.</summary>
    /// <param name="exporter">The exporter.</param>
    /// <exception cref="ArgumentException">It has no name, no bytes, or says something else when asked again.</exception>
    public static void ThrowIfBroken(IBufferExporter exporter)
    {
        ArgumentNullException.ThrowIfNull(exporter);
        Require(!string.IsNullOrEmpty(exporter.Name), exporter, "Name must not be empty");
        Require(!exporter.Size.IsZero, exporter, "Size must not be zero");
        Require(exporter.Traits is not null, exporter, "Traits must be there");
        Require(
            exporter.Name == exporter.Name && exporter.Size == exporter.Size && exporter.Traits == exporter.Traits,
            exporter,
            "Name, Size and Traits must never change");
    }

    private static void RequireList(IBufferExporter exporter, Errno errno, PhysRangeList? previous, PhysRangeList? list)
    {
        if (!errno.IsOk)
        {
            Require(list is null, exporter, $"TryGetList must give no list with {errno}");
            return;
        }

        Require(list is not null, exporter, "TryGetList must give a list with ok");
        Require(list!.IsValid, exporter, "TryGetList must give a valid list");
        Require(list.Length == exporter.Size, exporter, $"TryGetList must give {exporter.Size}; it gave {list.Length}");
        bool isNewForNothing = previous is not null && previous.IsValid && !ReferenceEquals(previous, list);
        Require(!isNewForNothing, exporter, "TryGetList must give the same list until it ends the last one's validity");
    }

    private static void RequireNoPeer(IBufferExporter exporter, BufferClient client, PhysRangeList? list)
    {
        if (client.IsPeerToPeer || list is null)
        {
            return;
        }

        foreach (OwnerRun run in list.OwnerRuns)
        {
            Require(!run.Owner.IsPeer, exporter, $"TryGetList must give {client} no memory of a peer; it gave {run.Owner}");
        }
    }

    private static void Require(bool holds, IBufferExporter exporter, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"exporter '{exporter.Name}' breaks its contract: {promise}", nameof(exporter));
        }
    }
}
