namespace Mm.DmaBuf.Fences;

/// <summary>Looks through arrays and chains at the fences in them, and merges fences into one.</summary>
/// <remarks>
/// <para><b>Linux:</b> dma_fence_unwrap_for_each, dma_fence_unwrap_merge (v6.12).</para>
/// </remarks>
public static class FenceUnwrap
{
    /// <summary>The fences inside a fence: of a chain its pending links, newest first, of each array its members.</summary>
    /// <param name="head">The fence; null has none.</param>
    /// <returns>Fences that are no containers, found while the caller goes on.</returns>
    public static IEnumerable<DmaFence> Enumerate(DmaFence? head)
    {
        for (DmaFence? each = head; each is not null; each = FenceChain.Walk(each))
        {
            DmaFence inner = each is FenceChain link ? link.Contained : each;
            if (inner is not FenceArray array)
            {
                yield return inner;
                continue;
            }

            foreach (DmaFence member in array.Members)
            {
                yield return member;
            }
        }
    }

    /// <summary>Makes one fence of many: of each context the latest pending one, signaled ones dropped.</summary>
    /// <param name="contexts">The contexts of the machine.</param>
    /// <param name="fences">The fences; null ones are nothing.</param>
    /// <returns>
    /// The only pending fence itself; an array over several, in the order of their contexts; or a signaled stub with the
    /// timestamp of the last that signaled.
    /// </returns>
    public static DmaFence Merge(FenceContexts contexts, params ReadOnlySpan<DmaFence?> fences)
    {
        ArgumentNullException.ThrowIfNull(contexts);
        var latest = new SortedDictionary<ulong, DmaFence>();
        ulong timestampNs = 0;
        foreach (DmaFence? head in fences)
        {
            foreach (DmaFence fence in Enumerate(head))
            {
                if (fence.TimestampNs is ulong signaledNs)
                {
                    timestampNs = Math.Max(timestampNs, signaledNs);
                }
                else if (!latest.TryGetValue(fence.Context.Value, out DmaFence? known) || DmaFence.IsLater(fence, known))
                {
                    latest[fence.Context.Value] = fence;
                }
            }
        }

        return latest.Count switch
        {
            0 => new StubFence(contexts, timestampNs),
            1 => latest.First().Value,
            _ => new FenceArray([.. latest.Values], contexts.Next(), seqno: 1, signalsOnAny: false),
        };
    }
}
