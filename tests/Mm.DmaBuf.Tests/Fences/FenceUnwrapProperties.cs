using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf.Tests.Fences;

internal sealed class FenceUnwrapProperties
{
    /// <summary>Merging is a union by context: of each context the latest pending fence, however the fences are parted.</summary>
    [FsCheck.NUnit.Property]
    public bool Merge_OfAnyFences_IsTheUnionByContext((byte Context, byte Seqno, bool IsSignaled)[] parts, byte cut)
    {
        var rig = new FenceRig();
        FenceContext[] contexts = [.. Enumerable.Range(0, 5).Select(_ => rig.Contexts.Next())];
        DmaFence[] fences = [.. parts.Select(part => rig.Fence(contexts[part.Context % 5], part.Seqno))];
        for (int index = 0; index < fences.Length; index++)
        {
            if (parts[index].IsSignaled)
            {
                fences[index].Signal().ThrowIfError();
            }
        }

        int at = fences.Length == 0 ? 0 : cut % fences.Length;
        DmaFence left = FenceUnwrap.Merge(rig.Contexts, fences.AsSpan(0, at));
        DmaFence right = FenceUnwrap.Merge(rig.Contexts, fences.AsSpan(at));
        DmaFence merged = FenceUnwrap.Merge(rig.Contexts, left, right);

        HashSet<(FenceContext, ulong)> expected = [.. fences.Where(fence => !fence.IsSignaled)
            .GroupBy(fence => fence.Context).Select(group => (group.Key, group.Max(fence => fence.Seqno)))];
        List<(FenceContext, ulong)> found =
            [.. FenceUnwrap.Enumerate(merged).Where(fence => !fence.IsSignaled).Select(fence => (fence.Context, fence.Seqno))];
        return expected.SetEquals(found) && found.Count == expected.Count;
    }
}
