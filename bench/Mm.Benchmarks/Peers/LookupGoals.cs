using System.Diagnostics;
using Mm.Benchmarks.PhysRanges;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.Peers;

/// <summary>G6: which provider owns an address, beside the C Eytzinger tree, the best of the C++ structures measured.</summary>
internal static class LookupGoals
{
    private const double VectorGoal = 0.6;
    private const double ScalarGoal = 1.2;
    private const int Block = 1 << 12; // keys of one call: many calls a repetition, so that the JIT's last tier comes in

    private static readonly int[] Counts = [16, 256, 4096, 65536];

    internal static IEnumerable<Goal> All()
    {
        foreach (string vectors in new[] { "", "256", "128", "scalar" })
        {
            string name = vectors.Length == 0 ? "widest vectors" : vectors;
            double wanted = vectors is "" or "256" ? VectorGoal : ScalarGoal;
            foreach (int count in Counts)
            {
                var index = new Lazy<(LookupInputs, PhysRangeIndex)>(() => MakeIndex(count));
                yield return new Goal(
                    $"G6 lookup of {count} ranges, {name}", "lookup", $"eytzinger {count}", wanted, () => Find(index.Value))
                {
                    Vectors = vectors,
                };
            }
        }

        foreach (int count in Counts)
        {
            var map = new Lazy<(LookupInputs, ProviderMap)>(() => MakeMap(count));
            yield return new Goal(
                $"G6 provider of {count}, down to the object", "lookup", $"provider {count}", VectorGoal,
                () => FindProvider(map.Value));
        }
    }

    private static (LookupInputs Inputs, PhysRangeIndex Index) MakeIndex(int count)
    {
        LookupInputs inputs = LookupInputs.Make(count);
        return (inputs, new PhysRangeIndex(inputs.Ranges));
    }

    private static (LookupInputs Inputs, ProviderMap Map) MakeMap(int count)
    {
        LookupInputs inputs = LookupInputs.Make(count);
        var map = new ProviderMap();
        IP2pProvider[] providers =
            [.. inputs.Ranges.Select(static (range, place) => new NumberedProvider((ulong)place + 1, range))];
        map.TryRegister(providers, out _).ThrowIfError();
        return (inputs, map);
    }

    private static Repetition Find((LookupInputs Inputs, PhysRangeIndex Index) side)
    {
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int at = 0; at < LookupInputs.KeyCount; at += Block)
        {
            sum += SumOfIndexes(side.Index, side.Inputs.Keys.AsSpan(at, Block));
        }

        return PerKey(begin, sum);
    }

    private static Repetition FindProvider((LookupInputs Inputs, ProviderMap Map) side)
    {
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int at = 0; at < LookupInputs.KeyCount; at += Block)
        {
            sum += SumOfNumbers(side.Map, side.Inputs.Keys.AsSpan(at, Block));
        }

        return PerKey(begin, sum);
    }

    private static ulong SumOfIndexes(PhysRangeIndex index, ReadOnlySpan<PhysAddr> keys)
    {
        long sum = 0;
        foreach (PhysAddr key in keys)
        {
            sum += index.Find(key) + 1;
        }

        return (ulong)sum;
    }

    private static ulong SumOfNumbers(ProviderMap map, ReadOnlySpan<PhysAddr> keys)
    {
        ulong sum = 0;
        foreach (PhysAddr key in keys)
        {
            sum += map.Find(key) is NumberedProvider provider ? provider.Number : 0;
        }

        return sum;
    }

    private static Repetition PerKey(long begin, ulong sum) =>
        new(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / LookupInputs.KeyCount, sum);

    /// <summary>A provider that is no more than its place.</summary>
    private sealed class NumberedProvider(ulong number, PhysRange aperture) : IP2pProvider
    {
        public ulong Number { get; } = number;

        public string Name => $"provider {Number}";

        public DeviceId Owner => default;

        public PhysRange Aperture { get; } = aperture;

        public ValidityToken Validity => default;

        public P2pMapKind MapKindFor(DeviceId client) => P2pMapKind.NotSupported;

        public DmaAddr ToBusAddress(PhysAddr address) => new(address.Value);
    }
}
