using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>A set of CPUs as sysfs prints it: a mask <c>00000000,0000ff00</c>, or a list <c>0-7,16-23</c>.</summary>
/// <remarks>
/// <para><b>Linux:</b> cpumap_print_to_pagebuf (v6.12).</para>
/// <para>Immutable; at most <see cref="MaxCpus"/> CPUs.</para>
/// </remarks>
internal sealed class SysfsCpuSet
{
    /// <summary>NR_CPUS of the largest kernels.</summary>
    internal const int MaxCpus = 8192;

    private const int WordBits = 32;

    private readonly bool[] cpus = new bool[MaxCpus];

    private SysfsCpuSet()
    {
    }

    /// <summary>How many CPUs it has.</summary>
    internal int Count { get; private set; }

    /// <summary>Whether a CPU is in it.</summary>
    /// <param name="cpu">The CPU.</param>
    /// <returns>Whether it is.</returns>
    internal bool Contains(int cpu) => cpu is >= 0 and < MaxCpus && cpus[cpu];

    /// <summary>Whether every CPU of this set is in another.</summary>
    /// <param name="other">The other set.</param>
    /// <returns>Whether they are.</returns>
    internal bool IsWithin(SysfsCpuSet other)
    {
        for (int cpu = 0; cpu < MaxCpus; cpu++)
        {
            if (cpus[cpu] && !other.cpus[cpu])
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Reads a mask: words of 32 bits in hexadecimal, the highest first.</summary>
    /// <param name="text">The text.</param>
    /// <param name="set">The set.</param>
    /// <returns>Whether the text is a mask.</returns>
    internal static bool TryMask(string text, out SysfsCpuSet set)
    {
        set = new SysfsCpuSet();
        string[] words = text.Split(',');
        if (words.Length > MaxCpus / WordBits)
        {
            return false;
        }

        for (int index = 0; index < words.Length; index++)
        {
            if (!StrictNumber.TryHex(words[^(index + 1)], uint.MaxValue, out ulong word))
            {
                return false;
            }

            for (int bit = 0; bit < WordBits; bit++)
            {
                set.Add((index * WordBits) + bit, (word & (1UL << bit)) != 0);
            }
        }

        return true;
    }

    /// <summary>Reads a list: numbers and ranges of both ends included, as Linux prints them.</summary>
    /// <param name="text">The text; empty is the empty set.</param>
    /// <param name="set">The set.</param>
    /// <returns>Whether the text is a list.</returns>
    internal static bool TryList(string text, out SysfsCpuSet set)
    {
        set = new SysfsCpuSet();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int dash = part.IndexOf('-');
            ReadOnlySpan<char> first = dash < 0 ? part : part.AsSpan(0, dash);
            ReadOnlySpan<char> last = dash < 0 ? part : part.AsSpan(dash + 1);
            if (!StrictNumber.TryDecimal(first, MaxCpus - 1, out ulong low)
                || !StrictNumber.TryDecimal(last, MaxCpus - 1, out ulong high)
                || high < low)
            {
                return false;
            }

            for (int cpu = (int)low; cpu <= (int)high; cpu++)
            {
                set.Add(cpu, isIn: true);
            }
        }

        return true;
    }

    private void Add(int cpu, bool isIn)
    {
        if (isIn && !cpus[cpu])
        {
            cpus[cpu] = true;
            Count++;
        }
    }
}
