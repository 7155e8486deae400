using System.Diagnostics;
using Mm.Benchmarks.PhysRanges;
using Mm.Core;
using Mm.Core.PhysRanges;

namespace Mm.Benchmarks.Peers;

/// <summary>The workloads of <c>lookup.c</c> through the public API.</summary>
internal sealed class LookupWorkload(int count)
{
    private const int Block = 1 << 12; // keys of one call: many calls a repetition, so that the JIT's last tier comes in

    private readonly LookupInputs inputs = LookupInputs.Make(count);
    private PhysRangeIndex? index; // made when first asked for, as the next
    private ProviderMap? map;

    /// <summary>Finds the place of the range that each address lies in.</summary>
    internal Repetition Find()
    {
        index ??= new PhysRangeIndex(inputs.Ranges);
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int at = 0; at < LookupInputs.KeyCount; at += Block)
        {
            sum += SumOfIndexes(index, inputs.Keys.AsSpan(at, Block));
        }

        return PerKey(begin, sum);
    }

    /// <summary>Finds the provider of each address.</summary>
    internal Repetition FindProvider()
    {
        map ??= MakeMap(inputs);
        ulong sum = 0;
        long begin = Stopwatch.GetTimestamp();
        for (int at = 0; at < LookupInputs.KeyCount; at += Block)
        {
            sum += SumOfNumbers(map, inputs.Keys.AsSpan(at, Block));
        }

        return PerKey(begin, sum);
    }

    private static ProviderMap MakeMap(LookupInputs inputs)
    {
        var made = new ProviderMap();
        IP2pProvider[] providers =
            [.. inputs.Ranges.Select(static (range, place) => new NumberedProvider((ulong)place + 1, range))];
        made.TryRegister(providers, out _).ThrowIfError();
        return made;
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
