using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Topologies;

public sealed class PciWordsTests
{
    [TestCase("0000:40", "0000:40")]
    [TestCase("40", "0000:40")]
    [TestCase("10000:e0", "10000:e0")]
    public void PciBusId_Text_RoundTrips(string text, string printed)
    {
        Assert.That(PciBusId.Parse(text).ToString(), Is.EqualTo(printed));
    }

    [TestCase("")]
    [TestCase("0000:")]
    [TestCase(":40")]
    [TestCase("0000:40:00")]
    [TestCase("0000:140")]
    public void PciBusId_OtherText_IsRefused(string text)
    {
        Assert.That(PciBusId.TryParse(text, out _), Is.False);
        Assert.That(() => PciBusId.Parse(text), Throws.TypeOf<FormatException>());
    }

    [TestCase("3b:00.0", "0000:3b:00.0")]
    [TestCase("1/3b:00.0", "1/0000:3b:00.0")]
    [TestCase("0/3b:00.0", "0000:3b:00.0")]
    public void PciPlace_Text_RoundTrips(string text, string printed)
    {
        Assert.That(PciPlace.TryParse(text, out PciPlace place), Is.True);
        Assert.That(place.ToString(), Is.EqualTo(printed));
    }

    [TestCase("x/3b:00.0")]
    [TestCase("70000/3b:00.0")]
    [TestCase("1/")]
    public void PciPlace_OtherText_IsRefused(string text) => Assert.That(PciPlace.TryParse(text, out _), Is.False);

    [TestCase("8086:2030", true)]
    [TestCase("8086", false)]
    [TestCase("18086:2030", false)]
    [TestCase("8086:", false)]
    public void PciId_Text_IsVendorAndDevice(string text, bool isOne)
    {
        Assert.That(PciId.TryParse(text, out PciId id), Is.EqualTo(isOne));
        Assert.That(id.ToString(), Is.EqualTo(isOne ? text : "0000:0000"));
    }

    [TestCase("0x060400", "060400")]
    [TestCase("0604", "060400")]
    [TestCase("030200", "030200")]
    public void PciClass_Text_IsSixDigits(string text, string printed)
    {
        Assert.That(PciClass.TryParse(text, out PciClass value), Is.True);
        Assert.That(value.ToString(), Is.EqualTo(printed));
    }

    [TestCase("06040")]
    [TestCase("")]
    [TestCase("0x")]
    [TestCase("06040012")]
    public void PciClass_OtherText_IsRefused(string text) => Assert.That(PciClass.TryParse(text, out _), Is.False);

    [TestCase("16 GT/s", 160)]
    [TestCase("8.0 GT/s PCIe", 80)]
    [TestCase("2.5GT/s", 25)]
    [TestCase("", 0)]
    [TestCase("Unknown speed", 0)]
    public void PciLinkSpeed_Text_IsTenthsOfGigatransfers(string text, int tenths)
    {
        Assert.That(PciLinkSpeed.TryParse(text, out PciLinkSpeed speed), Is.True);
        Assert.That(speed.TenthsOfGigatransfers, Is.EqualTo(tenths));
    }

    [TestCase("fast")]
    [TestCase("GT/s")]
    [TestCase("-8 GT/s")]
    [TestCase("99999 GT/s")]
    public void PciLinkSpeed_OtherText_IsRefused(string text) => Assert.That(PciLinkSpeed.TryParse(text, out _), Is.False);

    [TestCase(3, 16, "15.754 GB/s")]
    [TestCase(4, 16, "31.508 GB/s")]
    [TestCase(5, 16, "63.015 GB/s")]
    [TestCase(1, 1, "0.25 GB/s")]
    [TestCase(6, 16, "121.0 GB/s")]
    public void PciLinkState_Bandwidth_IsThatAfterEncoding(int generation, byte width, string printed)
    {
        var state = new PciLinkState(PciLinkSpeed.OfGeneration(generation), width);

        Assert.That(state.Bandwidth.ToString(), Is.EqualTo(printed));
        Assert.That(default(PciLinkState).Bandwidth, Is.Null);
    }

    [Test]
    public void PciLink_Bandwidth_PrefersCurrentThenReportedThenCapable()
    {
        var slow = new PciLinkState(PciLinkSpeed.OfGeneration(1), 16);
        var fast = new PciLinkState(PciLinkSpeed.OfGeneration(4), 16);
        LinkBandwidth reported = LinkBandwidth.FromMegabytes(15_754);

        Assert.That(new PciLink(fast, slow) { Reported = reported }.Bandwidth, Is.EqualTo(slow.Bandwidth));
        Assert.That(new PciLink(fast, default) { Reported = reported }.Bandwidth, Is.EqualTo(reported));
        Assert.That(new PciLink(fast, default).Bandwidth, Is.EqualTo(fast.Bandwidth));
        Assert.That(default(PciLink).Bandwidth, Is.Null);
    }

    [Test]
    public void AcsControl_Unknown_IsNotAbsentAndNotOff()
    {
        Assert.That(default(AcsControl), Is.EqualTo(AcsControl.Unknown));
        Assert.That(AcsControl.Unknown, Is.Not.EqualTo(AcsControl.Absent));
        Assert.That(AcsControl.Absent, Is.Not.EqualTo(AcsControl.Of(AcsBits.None)));
        Assert.That((AcsControl.Unknown.IsKnown, AcsControl.Absent.IsKnown, AcsControl.Absent.IsPresent), Is.EqualTo((false, true, false)));
        Assert.That(AcsControl.Absent.Without(AcsBits.Redirects), Is.EqualTo(AcsControl.Absent));
    }

    [Test]
    public void AcsControl_Without_KeepsUndefinedBits()
    {
        AcsControl control = AcsControl.Of((AcsBits)0x11f);

        Assert.That(control.Without(AcsBits.Redirects).ToString(), Is.EqualTo("0x0113 (SV+TB+UF)"));
        Assert.That(() => AcsControl.Of((AcsBits)0x10000), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void PciBar_Range_NeedsAddressAndSize()
    {
        var bar = new PciBar(2, new PhysAddr(0x1000), new ByteCount(0x2000), PciBarFlags.Memory);

        Assert.That(bar.TryGetRange(out PhysRange range), Is.True);
        Assert.That(range.ToString(), Is.EqualTo("[0x1000, 0x3000)"));
        Assert.That(new PciBar(2, null, new ByteCount(1), PciBarFlags.None).TryGetRange(out _), Is.False);
        Assert.That(() => new PciBar(7, null, null, PciBarFlags.None), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(
            () => new PciBar(0, PhysAddr.MaxValue, new ByteCount(2), PciBarFlags.None),
            Throws.TypeOf<ArgumentOutOfRangeException>());
    }
}
