using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class ByteCopyProperties
{
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property NonTemporal_OnRandomCuts_EqualsItsScalarTwinInEveryWidth(uint seed)
    {
        var random = new MachineRandom(seed);
        byte[] source = new byte[random.NextBelow(9000)];
        random.Fill(source);
        int offset = (int)random.NextBelow(200);
        int next = (int)random.NextBelow((ulong)source.Length + 1);
        byte[] expected = Copy(VectorLevel.Scalar, source, offset, next);
        return Enum.GetValues<VectorLevel>()
            .All(level => expected.AsSpan().SequenceEqual(Copy(level, source, offset, next)))
            .Label($"{source.Length} bytes to offset {offset}, next {next}");
    }

    private static byte[] Copy(VectorLevel level, byte[] source, int offset, int next)
    {
        byte[] destination = new byte[source.Length + 400];
        destination.AsSpan().Fill(0xEE);
        ByteCopy.NonTemporalUnfenced(level, source, destination.AsSpan(offset, source.Length), source.AsSpan(next));
        ByteCopy.Fence();
        return destination;
    }
}
