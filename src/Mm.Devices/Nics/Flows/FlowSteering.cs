using Mm.Core;
using Mm.Core.Locking;

namespace Mm.Devices.Nics.Flows;

/// <summary>Which queue a flow's packets go to: by rule where one fits, else by the hash of the flow.</summary>
/// <remarks>
/// Owns the rules and the indirection table. Not responsible for whose memory a queue fills: a rule that sends a flow to
/// another's queue is obeyed, here as in Linux.
/// <para><b>Linux:</b> ntuple rules and the RSS indirection table of ethtool (v6.12); the hash is Toeplitz with the key that
/// drivers use unless told otherwise.</para>
/// <para><b>Invariants:</b> (1) of the rules that fit the one at the lowest location counts; (2) no rule and no entry of the
/// table names a queue that is not there.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; asked for each time that bytes are taken off the wire.</para>
/// </remarks>
public sealed class FlowSteering
{
    /// <summary>How many rules there may be.</summary>
    public const int MaxRules = 128;

    /// <summary>How many entries the indirection table has.</summary>
    public const int TableSize = 128;

    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly SortedDictionary<int, FlowRule> rules = []; // protected by gate
    private readonly int[] table = new int[TableSize]; // protected by gate
    private int queues; // protected by gate

    internal FlowSteering(int queues)
    {
        this.queues = queues;
        Spread(queues);
    }

    /// <summary>Adds a rule at the lowest free location.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="location">Where it is; 0 when refused.</param>
    /// <returns><see cref="Errno.EINVAL"/>: it names no queue. <see cref="Errno.ENOSPC"/>: there are
    /// <see cref="MaxRules"/>.</returns>
    public Errno TryAdd(FlowRule rule, out int location)
    {
        ArgumentNullException.ThrowIfNull(rule);
        location = 0;
        using (gate.Enter())
        {
            if (rule.Queue < 0 || rule.Queue >= queues)
            {
                return Errno.EINVAL;
            }

            if (rules.Count == MaxRules)
            {
                return Errno.ENOSPC;
            }

            while (rules.ContainsKey(location))
            {
                location++;
            }

            rules.Add(location, rule);
            return Errno.Ok;
        }
    }

    /// <summary>Takes a rule out.</summary>
    /// <param name="location">Where it is.</param>
    /// <returns><see cref="Errno.ENOENT"/>: there is none.</returns>
    public Errno TryRemove(int location)
    {
        using (gate.Enter())
        {
            return rules.Remove(location) ? Errno.Ok : Errno.ENOENT;
        }
    }

    /// <summary>Spreads the flows that no rule fits over the first queues.</summary>
    /// <param name="count">Over how many.</param>
    /// <returns><see cref="Errno.EINVAL"/>: none, or more than there are.</returns>
    /// <remarks><b>Linux:</b> <c>ethtool --set-rxfh-indir … equal N</c> (v6.12).</remarks>
    public Errno TrySpread(int count)
    {
        using (gate.Enter())
        {
            if (count < 1 || count > queues)
            {
                return Errno.EINVAL;
            }

            Spread(count);
            return Errno.Ok;
        }
    }

    /// <summary>Says which queue a flow's packets go to.</summary>
    /// <param name="flow">The flow.</param>
    /// <returns>The queue.</returns>
    public int Steer(FlowKey flow)
    {
        using (gate.Enter())
        {
            foreach (FlowRule rule in rules.Values)
            {
                if (rule.Fits(flow))
                {
                    return rule.Queue;
                }
            }

            return table[ToeplitzHash.Of(flow) & (TableSize - 1)];
        }
    }

    /// <summary>The number of queues changes: rules of those that go are taken out, and the table is spread anew.</summary>
    internal void Resize(int count)
    {
        using (gate.Enter())
        {
            queues = count;
            foreach (int location in rules.Where(pair => pair.Value.Queue >= count).Select(pair => pair.Key).ToArray())
            {
                _ = rules.Remove(location);
            }

            Spread(count);
        }
    }

    private void Spread(int count)
    {
        for (int index = 0; index < TableSize; index++)
        {
            table[index] = index % count;
        }

    }
}
