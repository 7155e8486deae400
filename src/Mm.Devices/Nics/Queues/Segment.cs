using Mm.Core.Checks;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Queues;

/// <summary>Payload of one flow on its way up: some bytes behind the header, then fragments of buffers.</summary>
/// <remarks>
/// Owns the leases of its buffers until it is disposed.
/// <para><b>Linux:</b> struct sk_buff (v6.12): its linear part, its fragments, and its bit unreadable.</para>
/// <para><b>Invariants:</b> (1) it is readable exactly if no fragment is memory without pages; (2) its fragments are of one
/// kind.</para>
/// <para><b>Locking:</b> its holder's: a queue's, then a socket's.</para>
/// </remarks>
internal sealed class Segment : IDisposable
{
    private readonly List<SegmentFragment> fragments = [];

    internal Segment(PoolLease header, int headerSize, int linearRoom)
    {
        Header = header;
        HeaderSize = headerSize;
        LinearRoom = linearRoom;
    }

    /// <summary>The buffer of the header; empty where headers are not split off.</summary>
    internal PoolLease Header { get; }

    /// <summary>How many bytes the header has.</summary>
    internal int HeaderSize { get; }

    /// <summary>How many bytes of payload go behind the header.</summary>
    internal int LinearRoom { get; }

    /// <summary>How many bytes of payload lie behind the header.</summary>
    internal int LinearCount { get; private set; }

    /// <summary>All bytes of payload.</summary>
    internal int Count { get; private set; }

    internal IReadOnlyList<SegmentFragment> Fragments => fragments;

    /// <summary>Whether a CPU can read its fragments. <b>Linux:</b> skb_frags_readable.</summary>
    internal bool IsReadable => fragments.Count == 0 || !fragments[0].Lease.Memory.IsNetIov;

    internal void GrowLinear(int count)
    {
        LinearCount += count;
        Count += count;
    }

    internal void Add(SegmentFragment fragment)
    {
        fragments.Add(fragment);
        Count += fragment.Count;
    }

    internal void GrowLast(int count)
    {
        SegmentFragment last = fragments[^1];
        fragments[^1] = last with { Count = last.Count + count };
        Count += count;
    }

    /// <summary>The bytes behind the header.</summary>
    internal Memory<byte> OpenLinear() => LinearCount == 0 ? default : Open(Header, HeaderSize, LinearCount);

    /// <summary>The bytes of a fragment, which must be a page.</summary>
    internal Memory<byte> Open(int index) => Open(fragments[index].Lease, fragments[index].Start, fragments[index].Count);

    /// <summary>The bytes of the header, where it was split off or not.</summary>
    internal Memory<byte> OpenHeader() =>
        Header.IsEmpty ? Open(fragments[0].Lease, 0, HeaderSize) : Open(Header, 0, HeaderSize);

    /// <summary>Gives the buffers back.</summary>
    public void Dispose()
    {
        foreach (SegmentFragment fragment in fragments)
        {
            fragment.Lease.Dispose();
        }

        fragments.Clear();
        Header.Dispose();
    }

    private static Memory<byte> Open(PoolLease lease, int start, int count)
    {
        bool isPage = lease.Memory.TryGetPage(out PoolPage? page);
        Check.That(isPage, "a CPU opens pages alone");
        return page!.OpenMemory().Slice((int)lease.Offset.Value + start, count);
    }
}
