using System.Runtime.InteropServices;
using Mm.Core.Checks;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

public sealed class PteTests
{
    private static readonly Pfn Frame = new(512);

    private static readonly (string Name, Func<Pte, Pte> Run)[] Transitions =
    [
        ("none", static entry => entry.Modify(PteProtection.None)),
        ("read", static entry => entry.Modify(PteProtection.Read)),
        ("read-write", static entry => entry.Modify(PteProtection.ReadWrite)),
        ("mkwrite", static entry => entry.MakeWritable()),
        ("wrprotect", static entry => entry.MakeWriteProtected()),
        ("mkdirty", static entry => entry.MakeDirty()),
        ("mkclean", static entry => entry.MakeClean()),
        ("mkyoung", static entry => entry.MakeAccessed()),
        ("mkold", static entry => entry.MakeOld()),
        ("mkspecial", static entry => entry.MakeSpecial()),
        ("exclusive", static entry => entry.MakeAnonExclusive()),
        ("shared", static entry => entry.ClearAnonExclusive()),
        ("mksoft", static entry => entry.MakeSoftDirty()),
        ("clearsoft", static entry => entry.ClearSoftDirty()),
        ("migrate", static entry => entry.ToMigration()),
        ("restore-anon", static entry => entry.ToPresent(Frame, isAnonymous: true)),
        ("restore-file", static entry => entry.ToPresent(Frame, isAnonymous: false)),
        ("mistake", static entry => entry.ToPresentMistaken(PteProtection.ReadWrite)),
        ("mistake-closed", static entry => entry.ToPresentMistaken(PteProtection.None)),
        ("to-device", static entry => entry.ToDevicePrivate(Frame)),
        ("to-exclusive", static entry => entry.ToDeviceExclusive()),
        ("readable", static entry => entry.MakeReadable()),
        ("readable-exclusive", static entry => entry.MakeReadableExclusive()),
        ("mkhuge", static entry => entry.MakeLarge()),
        ("split", static entry => entry.SplitPart(511)),
    ];

    private static IEnumerable<Pte> EveryEntry()
    {
        foreach (ulong kind in Enumerable.Range(0, 8).Select(static kind => (ulong)kind))
        {
            foreach (ulong number in new ulong[] { 0, 1, 512, (1UL << 40) - 512, (1UL << 40) - 1 })
            {
                for (ulong flags = 0; flags < 512; flags++)
                {
                    var entry = new Pte((kind << 60) | (number << 12) | flags);
                    if (entry.IsLegal)
                    {
                        yield return entry;
                    }
                }
            }
        }
    }

    [Test]
    public void Layout_IsEightBytesWithTheHardwaresBits()
    {
        Assert.That(Marshal.SizeOf<Pte>(), Is.EqualTo(8));
        Assert.That(default(Pte).Bits, Is.Zero);
        Assert.That(Pte.Present(new Pfn(0xabc), PteProtection.ReadWrite).Bits, Is.EqualTo(0x1000_0000_00ab_c003UL));
        Assert.That(Pte.Migration(new Pfn(1), MigrationAccess.Writable).Bits, Is.EqualTo(0x2000_0000_0000_1002UL));
        Assert.That(Pte.DevicePrivate(new Pfn(1), isWritable: false).Bits, Is.EqualTo(0x3000_0000_0000_1000UL));
        Assert.That(Pte.DeviceExclusive(new Pfn(1), isWritable: true).Bits, Is.EqualTo(0x4000_0000_0000_1002UL));
        Assert.That(Pte.Poisoned(new Pfn(1)).Bits, Is.EqualTo(0x5000_0000_0000_1000UL));
        Assert.That(Pte.Marker(PteMarkers.Poisoned).Bits, Is.EqualTo(0x6000_0000_0000_2000UL));
        Assert.That(Pte.Table(7).Bits, Is.EqualTo(0x7000_0000_0000_7000UL));
    }

    [Test]
    public void IsLegal_EveryCombination_AgreesWithThePlainRules()
    {
        int legal = 0;
        for (ulong kind = 0; kind < 8; kind++)
        {
            foreach (ulong number in new ulong[] { 0, 1, 512 })
            {
                for (ulong flags = 0; flags < 512; flags++)
                {
                    var entry = new Pte((kind << 60) | (number << 12) | flags);
                    Assert.That(entry.IsLegal, Is.EqualTo(PteModel.Decode(kind, number, flags) is not null), $"{kind} {number} {flags:x}");
                    legal += entry.IsLegal ? 1 : 0;
                }
            }
        }

        Assert.That(legal, Is.GreaterThan(500));
        Assert.That(new Pte(1UL << 63).IsLegal, Is.False, "the top bit is zero");
        Assert.That(new Pte((1UL << 60) | (1UL << 52)).IsLegal, Is.False, "bits 52 to 59 are zero");
        Assert.That(new Pte((1UL << 60) | (1UL << 9)).IsLegal, Is.False, "bits 9 to 11 are zero");
    }

    [Test]
    public void Questions_OfEveryEntry_AgreeWithTheModel()
    {
        foreach (Pte entry in EveryEntry())
        {
            PteModel model = PteModel.Of(entry);
            Assert.That(entry.IsNone, Is.EqualTo(model.Kind == PteKind.None));
            Assert.That(entry.IsPresent, Is.EqualTo(model.Kind == PteKind.Present));
            Assert.That(entry.IsAccessible, Is.EqualTo(model.Usable));
            Assert.That(entry.IsProtNone, Is.EqualTo(model.Kind == PteKind.Present && !model.Usable));
            Assert.That(entry.IsWritable, Is.EqualTo(model.Kind == PteKind.Present && model.Write));
            Assert.That(entry.IsWritableMigration, Is.EqualTo(model.Kind == PteKind.Migration && model.Write));
            Assert.That(entry.IsReadableExclusiveMigration, Is.EqualTo(model.Kind == PteKind.Migration && !model.Write && model.Exclusive));
            Assert.That(entry.IsReadableMigration, Is.EqualTo(model.Kind == PteKind.Migration && !model.Write && !model.Exclusive));
            Assert.That(entry.IsWritableDevicePrivate, Is.EqualTo(model.Kind == PteKind.DevicePrivate && model.Write));
            Assert.That(entry.IsWritableDeviceExclusive, Is.EqualTo(model.Kind == PteKind.DeviceExclusive && model.Write));
            Assert.That(entry.IsMigration, Is.EqualTo(model.Kind == PteKind.Migration));
            Assert.That(entry.IsDevicePrivate, Is.EqualTo(model.Kind == PteKind.DevicePrivate));
            Assert.That(entry.IsDeviceExclusive, Is.EqualTo(model.Kind == PteKind.DeviceExclusive));
            Assert.That(entry.IsHwPoison, Is.EqualTo(model.Kind == PteKind.HwPoison));
            Assert.That(entry.IsMarker, Is.EqualTo(model.Kind == PteKind.Marker));
            Assert.That(entry.IsNonPresent, Is.EqualTo(model.Kind is not (PteKind.None or PteKind.Present)));
            Assert.That(
                (entry.IsDirty, entry.IsAccessed, entry.IsSoftDirty, entry.IsSpecial, entry.IsZeroPage, entry.IsLarge),
                Is.EqualTo((model.Dirty, model.Accessed, model.Soft, model.Special, model.Zero, model.Large)));
        }
    }

    [Test]
    public void Transitions_EveryPairOnEveryEntry_AgreeWithTheModelAndStayLegal()
    {
        foreach (Pte entry in EveryEntry().Where(static entry => entry.Kind != PteKind.Table))
        {
            foreach ((string first, Func<Pte, Pte> run) in Transitions)
            {
                // One that the model refuses is tried on its own below: throwing half a million times takes minutes.
                if (PteModel.Of(entry).Apply(first) is not { } afterFirst)
                {
                    continue;
                }

                Pte middle = run(entry);
                Expect(middle, afterFirst, $"{entry} -> {first}");
                foreach ((string second, Func<Pte, Pte> next) in Transitions)
                {
                    if (afterFirst.Apply(second) is { } afterSecond)
                    {
                        Expect(next(middle), afterSecond, $"{entry} -> {first} -> {second}");
                    }
                }
            }
        }
    }

    [Test]
    public void Transition_TheModelRefuses_IsABug()
    {
        Pte[] samples =
        [
            default, Pte.Present(Frame, PteProtection.None), Pte.Present(Frame, PteProtection.Read).MakeSpecial(),
            Pte.Present(new Pfn(3), PteProtection.ReadWrite).MakeAnonExclusive(), Pte.ZeroPage(Frame),
            Pte.Present(Frame, PteProtection.ReadWrite).MakeLarge(), Pte.Migration(Frame, MigrationAccess.Readable),
            Pte.Migration(Frame, MigrationAccess.ReadableExclusive), Pte.Migration(new Pfn(5), MigrationAccess.Writable),
            Pte.DevicePrivate(Frame, isWritable: true), Pte.DeviceExclusive(Frame, isWritable: false), Pte.Poisoned(Frame),
            Pte.Marker(PteMarkers.WriteProtected),
        ];
        foreach (Pte entry in samples)
        {
            foreach ((string name, Func<Pte, Pte> run) in Transitions)
            {
                if (PteModel.Of(entry).Apply(name) is null)
                {
                    Assert.That(() => run(entry), Throws.InstanceOf<MmBugException>(), $"{entry} -> {name}");
                }
            }
        }
    }

    [Test]
    public void Frame_AtTheTop_IsKeptAndOnePastIsABug()
    {
        var top = new Pfn((1UL << 40) - 1);
        Assert.That(Pte.Present(top, PteProtection.Read).Frame, Is.EqualTo(top));
        Assert.That(() => Pte.Present(new Pfn(1UL << 40), PteProtection.Read), Throws.InstanceOf<MmBugException>());
        Assert.That(() => Pte.Migration(new Pfn(ulong.MaxValue), MigrationAccess.Readable), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Frame_OfAnEntryWithoutOne_IsABug([Values(0, 1)] int which)
    {
        Pte entry = which == 0 ? default : Pte.Marker(PteMarkers.Poisoned);
        Assert.That(() => entry.Frame, Throws.InstanceOf<MmBugException>());
    }

    [TestCase(PteMarkers.None)]
    [TestCase((PteMarkers)4)]
    public void Marker_OfNothingKnown_IsABug(object markers) =>
        Assert.That(() => Pte.Marker((PteMarkers)markers), Throws.InstanceOf<MmBugException>());

    [Test]
    public void SplitPart_OutsideTheLeaf_IsABug([Values(-1, 512)] int index)
    {
        Pte leaf = Pte.Present(Frame, PteProtection.Read).MakeLarge();
        Assert.That(() => leaf.SplitPart(index), Throws.InstanceOf<MmBugException>());
        Assert.That(leaf.SplitPart(3).Frame, Is.EqualTo(new Pfn(515)));
    }

    [Test]
    public void ToString_NamesKindFrameAndFlags()
    {
        Assert.That(Pte.Present(new Pfn(16), PteProtection.ReadWrite).MakeDirty().ToString(), Is.EqualTo("Present pfn 0x10 P W D SD"));
        Assert.That(Pte.Marker(PteMarkers.Poisoned).ToString(), Is.EqualTo("Marker Poisoned"));
        Assert.That(default(Pte).ToString(), Is.EqualTo("None"));
    }

    private static void Expect(Pte entry, PteModel model, string path)
    {
        if (!entry.IsLegal || PteModel.Of(entry) != model)
        {
            Assert.Fail($"{path}: {entry} is not {model}");
        }
    }
}
