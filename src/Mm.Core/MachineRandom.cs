using System.Numerics;

namespace Mm.Core;

/// <summary>A stream of random numbers that depends on nothing but its seed: the same on every machine and in every version of .NET.</summary>
/// <remarks>
/// The generator is xoshiro256** (Blackman and Vigna, 2018), seeded by SplitMix64 as its authors advise. System.Random
/// promises no stable sequence over versions, so recordings could not name a seed. Not for secrets.
/// <para><b>Locking:</b> the caller's: one stream, one thread. Ask the machine for a stream of your own.</para>
/// </remarks>
public sealed class MachineRandom
{
    private ulong s0;
    private ulong s1;
    private ulong s2;
    private ulong s3;

    /// <summary>Starts the stream of a seed.</summary>
    /// <param name="seed">Any value; each gives another stream.</param>
    public MachineRandom(ulong seed)
    {
        s0 = SplitMix(ref seed);
        s1 = SplitMix(ref seed);
        s2 = SplitMix(ref seed);
        s3 = SplitMix(ref seed);
    }

    /// <summary>The next 64 random bits.</summary>
    /// <returns>The bits.</returns>
    public ulong NextBits()
    {
        ulong result = unchecked(BitOperations.RotateLeft(s1 * 5, 7) * 9); // modulo 2^64 by definition
        ulong shifted = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        s1 ^= s2;
        s0 ^= s3;
        s2 ^= shifted;
        s3 = BitOperations.RotateLeft(s3, 45);
        return result;
    }

    /// <summary>A number below a bound, each as likely as the others.</summary>
    /// <param name="bound">The bound, above zero.</param>
    /// <returns>A number in [0, bound).</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="bound"/> is zero.</exception>
    public ulong NextBelow(ulong bound)
    {
        ArgumentOutOfRangeException.ThrowIfZero(bound);

        // Lemire's method (2019): the high half of a product is uniform once the few low halves that would favour some
        // results are thrown away.
        ulong high = Math.BigMul(NextBits(), bound, out ulong low);
        if (low < bound)
        {
            ulong threshold = unchecked(0UL - bound) % bound; // 2^64 mod bound
            while (low < threshold)
            {
                high = Math.BigMul(NextBits(), bound, out low);
            }
        }

        return high;
    }

    /// <summary>Whether a one in so many chance came up.</summary>
    /// <param name="times">The odds, above zero: 1 is always.</param>
    /// <returns>True once in <paramref name="times"/> on average.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="times"/> is zero.</exception>
    public bool OneIn(ulong times) => NextBelow(times) == 0;

    /// <summary>Fills a span with random bytes.</summary>
    /// <param name="bytes">What to fill.</param>
    public void Fill(Span<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes, NextBits());
        }

        ulong rest = NextBits();
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)(rest >> (8 * i) & 0xFF);
        }
    }

    /// <summary>The stream of a seed and a name, so that one user's draws do not move another's.</summary>
    /// <param name="seed">The machine's seed.</param>
    /// <param name="name">The user's name.</param>
    /// <returns>The stream.</returns>
    internal static MachineRandom ForStream(ulong seed, string name)
    {
        ulong hash = 0xCBF29CE484222325; // FNV-1a: string.GetHashCode differs from run to run
        foreach (char letter in name)
        {
            hash = unchecked((hash ^ letter) * 0x100000001B3); // modulo 2^64 by definition
        }

        return new MachineRandom(SplitMix(ref seed) ^ hash);
    }

    private static ulong SplitMix(ref ulong state)
    {
        // SplitMix64 (Steele, Lea and Flood, 2014); every step is modulo 2^64 by definition.
        unchecked
        {
            state += 0x9E3779B97F4A7C15;
            ulong z = state;
            z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
            return z ^ (z >> 31);
        }
    }
}
