using Mm.Core;
using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.PciConfig;

public sealed class PciConfigEncoderTests
{
    private static readonly PciFunction Gpu = new()
    {
        Address = PciAddress.Parse("0000:3b:00.0"),
        Id = new PciId(0x10de, 0x1db8),
        SubsystemId = new PciId(0x10de, 0x131d),
        Class = new PciClass(0x030200),
        PortType = PciPortType.Endpoint,
        Link = new PciLink(new PciLinkState(new PciLinkSpeed(160), 16), new PciLinkState(new PciLinkSpeed(80), 8)),
    };

    // What is unknown is left out by length, as in a dump that was not made as root.
    [TestCase(PciPortType.Unknown, false, 64)]
    [TestCase(PciPortType.Unknown, true, 64)]
    [TestCase(PciPortType.ConventionalPci, false, 256)]
    [TestCase(PciPortType.Endpoint, false, 256)]
    [TestCase(PciPortType.Endpoint, true, 4096)]
    public void Encode_Unknowns_ShortenTheDump(PciPortType type, bool isAcsKnown, int expected)
    {
        PciFunction function = Gpu with { PortType = type, Acs = isAcsKnown ? AcsControl.Absent : AcsControl.Unknown };

        Assert.That(PciConfigEncoder.Encode(function, null, isMultiFunction: false), Has.Length.EqualTo(expected));
    }

    [Test]
    public void Encode_Header_HasItsBytesWhereThePciSpecificationHasThem()
    {
        byte[] bytes = PciConfigEncoder.Encode(Gpu, null, isMultiFunction: true);

        Assert.Multiple(() =>
        {
            Assert.That(Convert.ToHexString(bytes, 0, 4), Is.EqualTo("DE10B81D"), "vendor and device, little end first");
            Assert.That(Convert.ToHexString(bytes, 9, 3), Is.EqualTo("000203"), "class");
            Assert.That(bytes[0x0e], Is.EqualTo(0x80), "header type 0, several functions");
            Assert.That(Convert.ToHexString(bytes, 0x2c, 4), Is.EqualTo("DE101D13"), "subsystem");
        });
    }

    [Test]
    public void Encode_Bridge_HasItsBuses()
    {
        var port = new PciFunction { Address = PciAddress.Parse("0000:3a:00.0"), Class = PciClass.PciBridge, PortType = PciPortType.RootPort };

        byte[] bytes = PciConfigEncoder.Encode(port, new PciBusRange(0x3b, 0x40), isMultiFunction: false);

        Assert.Multiple(() =>
        {
            Assert.That(bytes[0x0e], Is.EqualTo(1));
            Assert.That(Convert.ToHexString(bytes, 0x18, 3), Is.EqualTo("3A3B40"));
        });
    }

    // Whatever a topology may hold: the decoder finds no defect, and what has a register comes back.
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public void Encode_AnyFunction_DecodesToWhatHasARegister(int seed)
    {
        foreach (PciFunction function in new RandomTopology(seed).Draw().Snapshot.Functions)
        {
            PciConfigSpace space = PciConfigDecoder.Decode(PciConfigEncoder.Encode(function, null, isMultiFunction: false));

            Assert.That(space.Defects, Is.Empty, $"{function}");
            Assert.That(space.Express is null || space.PortType == Told(function.PortType), Is.True, $"{function} {function.PortType}");
            if (function.Id is { Vendor: not 0xffff } id)
            {
                Assert.That(space.Id, Is.EqualTo(id));
            }
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 128)]
    public void Encode_Acs_ComesBack(byte bits)
    {
        AcsControl acs = AcsControl.Of((AcsBits)(bits & 0x7f));

        PciConfigSpace space = PciConfigDecoder.Decode(PciConfigEncoder.Encode(Gpu with { Acs = acs }, null, isMultiFunction: false));

        Assert.That(space.Acs, Is.EqualTo(acs));
    }

    [TestCase(0x00000000_f0000000UL, PciBarFlags.Memory)]
    [TestCase(0x00000080_00000000UL, PciBarFlags.Memory | PciBarFlags.Is64Bit | PciBarFlags.Prefetchable)]
    [TestCase(0x00000000_e0000000UL, PciBarFlags.Memory | PciBarFlags.Prefetchable)]
    public void Encode_Bar_ComesBackWithoutItsSize(ulong address, PciBarFlags flags)
    {
        PciFunction function = Gpu with { Bars = [new PciBar(1, new PhysAddr(address), new ByteCount(1 << 20), flags)] };

        PciBar bar = PciConfigDecoder.Decode(PciConfigEncoder.Encode(function, null, isMultiFunction: false)).Bars.Single();

        Assert.Multiple(() =>
        {
            Assert.That((bar.Index, bar.Flags), Is.EqualTo((1, flags)));
            Assert.That(bar.BusAddress?.Value ?? bar.Address?.Value, Is.EqualTo(address));
            Assert.That(bar.Size, Is.Null, "sizes have no register");
        });
    }

    // A dump has one code for both: what a machine made up looks like a switch.
    private static PciPortType Told(PciPortType type) => type == PciPortType.VirtualSwitch ? PciPortType.SwitchUpstream : type;
}
