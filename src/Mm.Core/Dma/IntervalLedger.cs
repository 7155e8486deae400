using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>Which live mapping has which addresses; several may have the same.</summary>
/// <remarks>
/// For a device's accesses and the diagnostics. The runs of a mapping are kept in blocks, sorted, and the blocks in a treap by
/// their first address that knows the highest address below each node: a mapping of many runs costs a node for each
/// <see cref="BlockRuns"/>, and a search what it finds and the way there.
/// <para><b>Linux:</b> the hash of dma_debug_entry (kernel/dma/debug.c, v6.12), which is found by its exact start alone.</para>
/// <para><b>Invariants:</b> (1) blocks are ordered by first address, then by age; (2) a node's highest address is that of its
/// subtree; (3) a node's priority is at least its children's.</para>
/// <para><b>Locking:</b> a lock of its own, rank Leaf.</para>
/// </remarks>
internal sealed class IntervalLedger
{
    /// <summary>How many runs share a node at most.</summary>
    internal const int BlockRuns = 64;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private Block? root; // protected by gate
    private ulong nextSerial; // protected by gate

    /// <summary>How many runs there are.</summary>
    public int Count { get; private set; }

    /// <summary>Adds what a mapping has.</summary>
    /// <param name="runs">Its runs, in any order; sorted by it.</param>
    /// <param name="mapping">The mapping.</param>
    /// <returns>The blocks, to remove them by.</returns>
    public Block[] Add(Span<LedgerRun> runs, DmaMapping mapping)
    {
        if (!IsSorted(runs))
        {
            runs.Sort(static (left, right) => left.Start.CompareTo(right.Start));
        }

        var blocks = new Block[(runs.Length + (BlockRuns - 1)) / BlockRuns];
        using (gate.Enter())
        {
            for (int index = 0; index < blocks.Length; index++)
            {
                int first = index * BlockRuns;
                LedgerRun[] part = runs[first..Math.Min(runs.Length, first + BlockRuns)].ToArray();
                blocks[index] = new Block(part, mapping, nextSerial++);
                Insert(ref root, blocks[index]);
            }

            Count += runs.Length;
        }

        return blocks;
    }

    /// <summary>Removes what was added in one call.</summary>
    /// <param name="blocks">The blocks.</param>
    public void Remove(ReadOnlySpan<Block> blocks)
    {
        using (gate.Enter())
        {
            foreach (Block block in blocks)
            {
                bool was = TryRemove(ref root, block);
                Check.That(was, "dma ledger: a block left twice");
                Count -= block.Runs.Length;
            }
        }
    }

    /// <summary>The newest run that shares an address with others: of a mapping that allows an access, before any other.</summary>
    /// <param name="start">The first address.</param>
    /// <param name="length">How many bytes; above zero.</param>
    /// <param name="access">The access; none where it does not matter.</param>
    /// <param name="run">The run.</param>
    /// <param name="mapping">Its mapping; null where there is none.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryFind(ulong start, ulong length, IoAccess access, out LedgerRun run, out DmaMapping? mapping)
    {
        var search = new Search(start, start + (length - 1), access);
        using (gate.Enter())
        {
            search.Visit(root);
        }

        (run, mapping) = (search.Run, search.Found?.Mapping);
        return mapping is not null;
    }

    /// <summary>Recounts it.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        using (gate.Enter())
        {
            Block? before = null;
            int runs = Validate(root, ref before);
            Check.That(runs == Count, $"dma ledger: {runs} runs, and {Count} are counted");
        }
    }

    private static bool IsSorted(ReadOnlySpan<LedgerRun> runs)
    {
        for (int index = 1; index < runs.Length; index++)
        {
            if (runs[index].Start < runs[index - 1].Start)
            {
                return false;
            }
        }

        return true;
    }

    private static void Insert(ref Block? node, Block block)
    {
        if (node is null)
        {
            node = block;
        }
        else if (block.Priority > node.Priority)
        {
            Split(node, block, out block.Left, out block.Right);
            node = block;
        }
        else if (block.IsBefore(node))
        {
            Insert(ref node.Left, block);
        }
        else
        {
            Insert(ref node.Right, block);
        }

        node.Update();
    }

    private static void Split(Block? node, Block at, out Block? before, out Block? behind)
    {
        if (node is null)
        {
            (before, behind) = (null, null);
            return;
        }

        if (node.IsBefore(at))
        {
            Split(node.Right, at, out node.Right, out behind);
            before = node;
        }
        else
        {
            Split(node.Left, at, out before, out node.Left);
            behind = node;
        }

        node.Update();
    }

    private static bool TryRemove(ref Block? node, Block block)
    {
        if (node is null)
        {
            return false;
        }

        bool was = true;
        if (node == block)
        {
            node = Merge(node.Left, node.Right);
            (block.Left, block.Right) = (null, null);
        }
        else
        {
            was = block.IsBefore(node) ? TryRemove(ref node.Left, block) : TryRemove(ref node.Right, block);
        }

        node?.Update();
        return was;
    }

    private static Block? Merge(Block? before, Block? behind)
    {
        if (before is null || behind is null)
        {
            return before ?? behind;
        }

        Block top = before.Priority >= behind.Priority ? before : behind;
        if (top == before)
        {
            before.Right = Merge(before.Right, behind);
        }
        else
        {
            behind.Left = Merge(before, behind.Left);
        }

        top.Update();
        return top;
    }

    private static int Validate(Block? node, ref Block? before)
    {
        if (node is null)
        {
            return 0;
        }

        int left = Validate(node.Left, ref before);
        Check.That(before is null || before.IsBefore(node), "dma ledger invariant 1: blocks are in order");
        before = node;
        ulong highest = node.Highest;
        node.Update();
        Check.That(highest == node.Highest, "dma ledger invariant 2: the highest address of a subtree");
        bool isHeap = !(node.Left?.Priority > node.Priority) && !(node.Right?.Priority > node.Priority);
        Check.That(isHeap, "dma ledger invariant 3: priorities");
        return left + node.Runs.Length + Validate(node.Right, ref before);
    }

    /// <summary>Neighbouring runs of one mapping; a node of the tree.</summary>
    internal sealed class Block
    {
        public Block? Left; // this, the next and the highest address: protected by the ledger's gate
        public Block? Right;

        internal Block(LedgerRun[] runs, DmaMapping mapping, ulong serial)
        {
            Runs = runs;
            Mapping = mapping;
            Serial = serial;
            Priority = Scatter(serial);
            foreach (LedgerRun run in runs)
            {
                Last = Math.Max(Last, run.Last);
            }

            Highest = Last;
        }

        /// <summary>The highest address of the node's subtree.</summary>
        public ulong Highest { get; private set; }

        /// <summary>Its runs, by their first address.</summary>
        public LedgerRun[] Runs { get; }

        /// <summary>The mapping.</summary>
        public DmaMapping Mapping { get; }

        /// <summary>Its age: the highest is the newest.</summary>
        public ulong Serial { get; }

        /// <summary>Its place in the heap.</summary>
        public ulong Priority { get; }

        /// <summary>The highest address of its runs.</summary>
        public ulong Last { get; }

        public bool IsBefore(Block other) =>
            Runs[0].Start != other.Runs[0].Start ? Runs[0].Start < other.Runs[0].Start : Serial < other.Serial;

        public void Update() => Highest = Math.Max(Last, Math.Max(Left?.Highest ?? 0, Right?.Highest ?? 0));

        // The same priorities in every run of a program, in no order: the finalizer of splitmix64.
        private static ulong Scatter(ulong serial)
        {
            ulong mixed = unchecked(serial + 0x9e3779b97f4a7c15); // arithmetic modulo 2^64 is meant, here and below
            mixed = unchecked((mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9);
            mixed = unchecked((mixed ^ (mixed >> 27)) * 0x94d049bb133111eb);
            return mixed ^ (mixed >> 31);
        }
    }

    private struct Search(ulong first, ulong last, IoAccess access)
    {
        private bool isAllowed;

        public Block? Found { get; private set; }

        public LedgerRun Run { get; private set; }

        public void Visit(Block? node)
        {
            if (node is null || node.Highest < first)
            {
                return;
            }

            Visit(node.Left);
            if (node.Runs[0].Start > last)
            {
                return; // and everything right of it starts later still
            }

            if (node.Last >= first)
            {
                Look(node);
            }

            Visit(node.Right);
        }

        private void Look(Block block)
        {
            bool allows = access == IoAccess.None || block.Mapping.Permits(access);
            bool isBetter = Found is null || (allows != isAllowed ? allows : block.Serial > Found.Serial);
            if (!isBetter)
            {
                return;
            }

            for (int index = block.Runs.Length - 1; index >= 0; index--)
            {
                ref readonly LedgerRun run = ref block.Runs[index];
                if (run.Start <= last && run.Last >= first)
                {
                    (Found, Run, isAllowed) = (block, run, allows);
                    return;
                }
            }
        }
    }
}
