using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Native;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

internal sealed class PteScanProperties
{
    private static readonly Gen<Pte> Entries = Gen.Frequency(
        (6, Gen.Choose(0, int.MaxValue).Select(static frame => Pte.Present(new Pfn((ulong)frame), PteProtection.ReadWrite))),
        (2, Gen.Choose(0, 100).Select(static frame => Pte.Present(new Pfn((ulong)frame), PteProtection.Read).MakeDirty())),
        (1, Gen.Elements(
            default,
            Pte.ZeroPage(new Pfn(3)),
            Pte.Present(new Pfn((1UL << 40) - 1), PteProtection.Read).MakeAnonExclusive().MakeAccessed(),
            Pte.Present(new Pfn(4), PteProtection.None),
            Pte.Present(new Pfn(5), PteProtection.ReadWrite).MakeSpecial(),
            Pte.Migration(new Pfn(6), MigrationAccess.Writable),
            Pte.DevicePrivate(new Pfn(7), isWritable: true),
            Pte.DeviceExclusive(new Pfn(8), isWritable: true),
            Pte.Poisoned(new Pfn(9)),
            Pte.Marker(PteMarkers.WriteProtected))));

    [FsCheck.NUnit.Property(MaxTest = 300)]
    public Property Translate_AtEveryLevel_EqualsThePlainLoop() => Prop.ForAll(Arb.From(Entries.ArrayOf()), static entries =>
    {
        ulong[] bits = [.. entries.Select(static entry => entry.Bits)];
        ulong[] expected = [.. entries.Select(Word)];
        bool hasOthers = entries.Any(static entry => !entry.IsNone && Word(entry) == 0);
        for (VectorLevel level = VectorLevel.Scalar; level <= Vectors.Supported; level++)
        {
            var words = new ulong[bits.Length];
            Assert.That(PteScan.Translate(level, bits, words), Is.EqualTo(hasOthers), $"{level}");
            Assert.That(words, Is.EqualTo(expected), $"{level}");
        }
    });

    [Test]
    public void Translate_WithoutRoom_IsRefused() =>
        Assert.That(() => PteScan.Translate(VectorLevel.Scalar, new ulong[2], new ulong[1]), Throws.ArgumentException);

    private static ulong Word(Pte entry) => !entry.IsAccessible || entry.IsSpecial
        ? 0
        : (1UL << 63) + (entry.IsWritable ? 1UL << 62 : 0) + entry.Frame.Value;
}
