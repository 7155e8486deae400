using Mm.Core.Checks;

namespace Mm.Core.Policies;

/// <summary>The policies of one file's pages, by page: whoever maps the file, they go before the process's.</summary>
/// <remarks>
/// <b>Linux:</b> struct shared_policy, mpol_set_shared_policy, mpol_shared_policy_lookup (mm/mempolicy.c, v6.12).
/// <para><b>Invariants:</b> (1) ranges are not empty, do not overlap, and stand in order.</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class PolicyRanges : IValidator
{
    private readonly List<Part> parts = [];

    /// <summary>How many ranges there are.</summary>
    internal int Count => parts.Count;

    /// <summary>The policy of a page.</summary>
    /// <param name="index">The page.</param>
    /// <returns>The policy, or null.</returns>
    internal MemoryPolicy? Find(PageCount index)
    {
        foreach (Part part in parts)
        {
            if (index.Value < part.End)
            {
                return index.Value >= part.Start ? part.Policy : null;
            }
        }

        return null;
    }

    /// <summary>Sets the policy of a run of pages.</summary>
    /// <param name="start">The first page.</param>
    /// <param name="count">How many.</param>
    /// <param name="policy">The policy; null takes it away.</param>
    internal void Set(PageCount start, PageCount count, MemoryPolicy? policy)
    {
        ulong end = start.AddChecked(count).Value;
        var kept = new List<Part>(parts.Count + 2);
        foreach (Part part in parts)
        {
            AddIfAny(kept, part with { End = Math.Min(part.End, start.Value) });
            AddIfAny(kept, part with { Start = Math.Max(part.Start, end) });
        }

        if (policy is not null)
        {
            AddIfAny(kept, new Part(start.Value, end, policy));
        }

        kept.Sort(static (left, right) => left.Start.CompareTo(right.Start));
        parts.Clear();
        parts.AddRange(kept);
    }

    /// <inheritdoc/>
    public void Validate()
    {
        for (int index = 0; index < parts.Count; index++)
        {
            bool isInOrder = index == 0 || parts[index - 1].End <= parts[index].Start;
            Check.That(parts[index].Start < parts[index].End && isInOrder, $"invariant 1: {parts[index]}");
        }
    }

    private static void AddIfAny(List<Part> list, Part part)
    {
        if (part.Start < part.End)
        {
            list.Add(part);
        }
    }

    private readonly record struct Part(ulong Start, ulong End, MemoryPolicy Policy);
}
