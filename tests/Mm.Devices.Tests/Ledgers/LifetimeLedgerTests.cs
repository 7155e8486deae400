using System.Xml.Linq;
using Mm.Core;
using Mm.Core.Checks;
using Mm.Devices.Ledgers;

namespace Mm.Devices.Tests.Ledgers;

public sealed class LifetimeLedgerTests
{
    private static readonly DeviceId Gpu = new(1);
    private static readonly DeviceId Nic = new(2);

    private static readonly LedgerEntry Region = new("rdma0 mr 0x100", HoldingKind.Pin, "dma-buf 3", Gpu, 1);
    private static readonly LedgerEntry Mapping = new("nic0 rx 1", HoldingKind.Mapping, "dma-buf \"a<b\"", Gpu, 2);
    private static readonly LedgerEntry Ram = new("nic0 rx 1", HoldingKind.Page, "page pool", DeviceId.None, 64);

    [Test]
    public void Of_Nobody_IsEmpty()
    {
        LifetimeLedger ledger = LifetimeLedger.Of(new Source());
        Assert.That(ledger.IsEmpty, Is.True);
        Assert.That(ledger.ToTable(NameOf), Is.EqualTo("nobody holds anything" + Environment.NewLine));
        Assert.That(ledger.HeldOf(Gpu), Is.Empty);
    }

    [Test]
    public void Of_EqualLines_AddsThemUp()
    {
        LifetimeLedger ledger = LifetimeLedger.Of(new Source(Region, Mapping), new Source(Region with { Count = 4 }));
        Assert.That(ledger.Entries, Is.EqualTo(new[] { Mapping, Region with { Count = 5 } }));
        Assert.That(ledger.CountOf(HoldingKind.Pin), Is.EqualTo(5));
        Assert.That(ledger.CountOf(HoldingKind.Token), Is.Zero);
    }

    [Test]
    public void Of_TheSameInAnotherOrder_IsTheSameText()
    {
        LifetimeLedger one = LifetimeLedger.Of(new Source(Region, Mapping, Ram));
        LifetimeLedger other = LifetimeLedger.Of(new Source(Ram), new Source(Mapping), new Source(Region));
        Assert.That(other.ToTable(NameOf), Is.EqualTo(one.ToTable(NameOf)));
        Assert.That(other.ToDot(NameOf), Is.EqualTo(one.ToDot(NameOf)));
        Assert.That(other.ToSvg(NameOf), Is.EqualTo(one.ToSvg(NameOf)));
    }

    [Test]
    public void Of_ALineThatHoldsNothing_IsABug()
    {
        Assert.That(() => LifetimeLedger.Of(new Source(Region with { Count = 0 })), Throws.InstanceOf<MmBugException>());
        Assert.That(() => LifetimeLedger.Of(new Source(Region with { Holder = "" })), Throws.InstanceOf<MmBugException>());
        Assert.That(() => LifetimeLedger.Of(null!), Throws.ArgumentNullException);
    }

    [Test]
    public void HeldOf_ADevice_SaysWhyItCannotGo()
    {
        LifetimeLedger ledger = LifetimeLedger.Of(new Source(Region, Mapping, Ram));
        Assert.That(ledger.HeldOf(Gpu), Is.EqualTo(new[] { Mapping, Region }));
        Assert.That(ledger.HeldOf(Nic), Is.Empty);
        Assert.That(ledger.HeldOf(DeviceId.None), Is.EqualTo(new[] { Ram }));
    }

    [Test]
    public void ToTable_OfThreeLines_HasColumns()
    {
        string[] expected =
        [
            "holder          count  kind      held           of",
            "nic0 rx 1          64  pages     page pool      RAM",
            "nic0 rx 1           2  mappings  dma-buf \"a<b\"  gpu0",
            "rdma0 mr 0x100      1  pin       dma-buf 3      gpu0",
        ];
        string table = LifetimeLedger.Of(new Source(Region, Mapping, Ram)).ToTable(NameOf);
        Assert.That(table.Split(Environment.NewLine)[..^1], Is.EqualTo(expected));
    }

    [Test]
    public void ToDot_QuotesNames()
    {
        string dot = LifetimeLedger.Of(new Source(Mapping)).ToDot(NameOf);
        Assert.That(dot, Is.EqualTo("""
            digraph ledger {
              rankdir=LR;
              h0 [label="nic0 rx 1", shape=ellipse];
              o0 [label="gpu0", shape=box];
              h0 -> o0 [label="2 mappings of dma-buf \"a<b\""];
            }

            """.ReplaceLineEndings("\n")));
    }

    [Test]
    public void ToSvg_IsWellFormed_WithABoxForEachAndAnArrowForEachPair()
    {
        XNamespace svg = "http://www.w3.org/2000/svg";
        XElement root = XElement.Parse(LifetimeLedger.Of(new Source(Region, Mapping, Ram)).ToSvg(NameOf));
        Assert.That(root.Elements(svg + "rect").Count(), Is.EqualTo(4));
        Assert.That(root.Elements(svg + "path").Count(), Is.EqualTo(3));
        Assert.That(root.Elements(svg + "text").Select(static text => text.Value), Does.Contain("2 mappings of dma-buf \"a<b\""));
        Assert.That(XElement.Parse(LifetimeLedger.Of().ToSvg(NameOf)).Elements(svg + "rect"), Is.Empty);
    }

    private static string NameOf(DeviceId device) => device == Gpu ? "gpu0" : "nic0";

    private sealed class Source(params LedgerEntry[] entries) : ILedgerSource
    {
        public void Report(ICollection<LedgerEntry> into)
        {
            foreach (LedgerEntry entry in entries)
            {
                into.Add(entry);
            }
        }
    }
}
