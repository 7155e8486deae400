using System.Buffers.Binary;
using Mm.Core;
using Mm.P2pDma.Importers.PciConfig;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.PciConfig;

public sealed class PciConfigDecoderTests
{
    private static byte[] Space(int length)
    {
        byte[] bytes = new byte[length];
        Put16(bytes, 0, 0x10de);
        Put16(bytes, 2, 0x1db8);
        Put16(bytes, 4, 6);
        Put32(bytes, 8, 0x030200a1);
        return bytes;
    }

    private static byte[] Express(int length, int type)
    {
        byte[] bytes = Space(length);
        Put16(bytes, 6, 0x10);
        bytes[0x34] = 0x60;
        bytes[0x60] = 0x10;
        Put16(bytes, 0x62, 2 | (type << 4));
        Put32(bytes, 0x6c, 5 | (16 << 4));
        Put16(bytes, 0x72, 3 | (8 << 4));
        return bytes;
    }

    private static void Put16(byte[] bytes, int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(at), (ushort)value);

    private static void Put32(byte[] bytes, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), value);

    [Test]
    public void Decode_Endpoint_ReadsIdentityClassAndBars()
    {
        byte[] bytes = Space(64);
        Put32(bytes, 0x10, 0xf0000000); // 32-bit memory
        Put32(bytes, 0x14, 0x0000000c); // 64-bit, prefetchable
        Put32(bytes, 0x18, 0x40);
        Put32(bytes, 0x1c, 0xe001); // I/O, which the command register switches off
        Put32(bytes, 0x2c, 0x12128086);
        Put32(bytes, 0x30, 0xfe000001);

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.Defects, Is.Empty);
            Assert.That(space.Id, Is.EqualTo(new PciId(0x10de, 0x1db8)));
            Assert.That(space.SubsystemId, Is.EqualTo(new PciId(0x8086, 0x1212)));
            Assert.That(space.Class, Is.EqualTo(new PciClass(0x030200)));
            Assert.That(space.Bars, Is.EqualTo(new[]
            {
                new PciBar(0, new PhysAddr(0xf0000000), null, PciBarFlags.Memory),
                new PciBar(1, new PhysAddr(0x40_0000_0000), null, PciBarFlags.Memory | PciBarFlags.Is64Bit | PciBarFlags.Prefetchable),
                new PciBar(3, new PhysAddr(0xe000), null, PciBarFlags.Io | PciBarFlags.Disabled),
                new PciBar(PciBar.RomIndex, new PhysAddr(0xfe000000), null, PciBarFlags.Memory),
            }));
        });
    }

    [TestCase(64, false, PciPortType.Unknown, false)]
    [TestCase(256, true, PciPortType.Endpoint, false)]
    [TestCase(4096, true, PciPortType.Endpoint, true)]
    public void Decode_DumpLength_DecidesWhatIsKnown(int length, bool knowsType, PciPortType type, bool knowsAcs)
    {
        byte[] bytes = Express(4096, type: 0)[..length];

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.AreCapabilitiesKnown, Is.EqualTo(knowsType));
            Assert.That(space.PortType, Is.EqualTo(type));
            Assert.That(space.Acs, Is.EqualTo(knowsAcs ? AcsControl.Absent : AcsControl.Unknown));
        });
    }

    [Test]
    public void Decode_NoCapabilityList_IsConventionalWithoutAcs()
    {
        PciConfigSpace space = PciConfigDecoder.Decode(Space(64));

        Assert.Multiple(() =>
        {
            Assert.That(space.PortType, Is.EqualTo(PciPortType.ConventionalPci));
            Assert.That(space.Acs, Is.EqualTo(AcsControl.Absent));
        });
    }

    [TestCase(0x0, PciPortType.Endpoint)]
    [TestCase(0x1, PciPortType.LegacyEndpoint)]
    [TestCase(0x4, PciPortType.RootPort)]
    [TestCase(0x5, PciPortType.SwitchUpstream)]
    [TestCase(0x6, PciPortType.SwitchDownstream)]
    [TestCase(0x7, PciPortType.PcieToPciBridge)]
    [TestCase(0x8, PciPortType.PciToPcieBridge)]
    [TestCase(0x9, PciPortType.RootComplexEndpoint)]
    [TestCase(0xa, PciPortType.RootComplexEventCollector)]
    [TestCase(0xf, PciPortType.Unknown)]
    public void Decode_Express_TellsTypeAndLink(int code, PciPortType type)
    {
        PciExpressCapability express = PciConfigDecoder.Decode(Express(256, code)).Express!.Value;

        bool hasLink = type is not (PciPortType.RootComplexEndpoint or PciPortType.RootComplexEventCollector);
        Assert.Multiple(() =>
        {
            Assert.That(express.PortType, Is.EqualTo(type));
            Assert.That(express.Link.Capable.ToString(), Is.EqualTo(hasLink ? "32 GT/s x16" : "? GT/s x?"));
            Assert.That(express.Link.Current.ToString(), Is.EqualTo(hasLink ? "8 GT/s x8" : "? GT/s x?"));
            Assert.That(express.Slot, Is.Null);
        });
    }

    [Test]
    public void Decode_ExtendedCapabilities_TellAcsSizesSriovAndCxl()
    {
        byte[] bytes = Express(4096, type: 6);
        Put16(bytes, 0x62, 0x162); // with a slot
        Put32(bytes, 0x74, 7U << 19);
        Put32(bytes, 0x10, 0x0000000c);
        Put32(bytes, 0x14, 0x40);
        Put32(bytes, 0x100, 0x000d | (1 << 16) | (0x140U << 20));
        Put16(bytes, 0x106, 0x1d);
        Put32(bytes, 0x140, 0x0015 | (1 << 16) | (0x180U << 20));
        Put32(bytes, 0x148, 0 | (1 << 5) | (16 << 8)); // BAR 0, one entry, 2^(20+16)
        Put32(bytes, 0x180, 0x0010 | (1 << 16) | (0x200U << 20));
        Put16(bytes, 0x18e, 16);
        Put32(bytes, 0x200, 0x0023 | (1 << 16));
        Put32(bytes, 0x204, 0x1e98);
        Put16(bytes, 0x20a, 0x0007);

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.Defects, Is.Empty);
            Assert.That(space.Acs, Is.EqualTo(AcsControl.Of((AcsBits)0x1d)));
            Assert.That(space.Bars.Single().Size, Is.EqualTo(ByteCount.FromGiB(64)));
            Assert.That(space.TotalVirtualFunctions, Is.EqualTo(16));
            Assert.That(space.CxlCapabilities, Is.EqualTo(7));
            Assert.That(space.Express!.Value.Slot, Is.EqualTo(7));
            Assert.That(space.ExtendedCapabilities.Select(c => c.Id), Is.EqualTo(new[] { 0xd, 0x15, 0x10, 0x23 }));
        });
    }

    [Test]
    public void Decode_Bridge_ReadsBusesAndWindows()
    {
        byte[] bytes = Space(64);
        bytes[0x0e] = 0x81;
        bytes[0x18] = 0x40;
        bytes[0x19] = 0x41;
        bytes[0x1a] = 0x4f;
        Put16(bytes, 0x1c, 0x2010); // I/O [1000, 2fff]
        Put32(bytes, 0x20, 0xf1f0f000); // memory [f0000000, f1ffffff]
        Put32(bytes, 0x24, 0xfff10001); // prefetchable, 64 bits
        Put32(bytes, 0x28, 0x3bc);
        Put32(bytes, 0x2c, 0x3bd);

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.IsMultiFunction, Is.True);
            Assert.That(space.PortType, Is.EqualTo(PciPortType.ConventionalBridge));
            Assert.That(space.Bridge!.Primary, Is.EqualTo(0x40));
            Assert.That(space.Bridge.Secondary, Is.EqualTo(0x41));
            Assert.That(space.Bridge.Subordinate, Is.EqualTo(0x4f));
            Assert.That(space.Bridge.Io.ToString(), Is.EqualTo("[0x1000, 0x3000)"));
            Assert.That(space.Bridge.Memory.ToString(), Is.EqualTo("[0xf0000000, 0xf2000000)"));
            Assert.That(space.Bridge.Prefetchable.ToString(), Is.EqualTo("[0x3bc00000000, 0x3be00000000)"));
        });
    }

    [Test]
    public void Decode_BridgeWindowsAboveLimit_AreOff()
    {
        byte[] bytes = Space(64);
        bytes[0x0e] = 1;
        bytes[0x1c] = 0xf0;
        Put16(bytes, 0x20, 0xfff0);
        Put16(bytes, 0x24, 0xfff0);

        PciBridgeHeader bridge = PciConfigDecoder.Decode(bytes).Bridge!;

        Assert.That(new[] { bridge.Io, bridge.Memory, bridge.Prefetchable }, Is.All.Null);
    }

    [Test]
    public void Decode_AllOnes_IsGone()
    {
        byte[] bytes = new byte[256];
        Array.Fill(bytes, (byte)0xff);

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.IsGone, Is.True);
            Assert.That(space.Id, Is.Null);
            Assert.That(space.Defects, Is.Empty);
        });
    }

    [Test]
    public void Decode_CapabilityLoop_IsADefectWithItsPlace()
    {
        byte[] bytes = Express(256, type: 0);
        bytes[0x61] = 0x60;

        PciConfigDefect defect = PciConfigDecoder.Decode(bytes).Defects.Single();

        Assert.Multiple(() =>
        {
            Assert.That(defect.Offset, Is.EqualTo(0x61));
            Assert.That(defect.What, Does.Contain("comes back to itself"));
        });
    }

    [TestCase(0x10, 0x34, "leads into the header")]
    [TestCase(0x80, 0x80, "broken")]
    public void Decode_BrokenCapabilityPointer_IsADefect(int pointer, int offset, string what)
    {
        byte[] bytes = Express(256, type: 0);
        bytes[0x34] = (byte)pointer;
        bytes[0x80] = 0xff;

        PciConfigDefect defect = PciConfigDecoder.Decode(bytes).Defects.Single();

        Assert.Multiple(() =>
        {
            Assert.That(defect.Offset, Is.EqualTo(offset));
            Assert.That(defect.What, Does.Contain(what));
        });
    }

    [TestCase(0x100U, "comes back to itself")]
    [TestCase(0x040U, "conventional space")]
    public void Decode_BrokenExtendedPointer_IsADefectAndAcsStaysUnknown(uint next, string what)
    {
        byte[] bytes = Express(4096, type: 0);
        Put32(bytes, 0x100, 0x0001 | (1 << 16) | (next << 20));

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.Defects.Single().What, Does.Contain(what));
            Assert.That(space.Acs, Is.EqualTo(AcsControl.Unknown));
        });
    }

    [Test]
    public void Decode_CapabilityPastTheEnd_IsADefect()
    {
        byte[] bytes = Express(4096, type: 0);
        Put32(bytes, 0x100, 0x0001 | (1 << 16) | (0xffcU << 20));
        Put32(bytes, 0xffc, 0x000d | (1 << 16));

        Assert.That(PciConfigDecoder.Decode(bytes).Defects.Single().What, Does.Contain("ACS capability passes the end"));
    }

    [Test]
    public void Decode_WideLastBar_IsADefect()
    {
        byte[] bytes = Space(64);
        Put32(bytes, 0x24, 0xf0000004);

        Assert.That(PciConfigDecoder.Decode(bytes).Defects.Single().What, Does.Contain("upper half"));
    }

    [Test]
    public void Decode_ResizableBarThatCannotBe_IsADefect()
    {
        byte[] bytes = Express(4096, type: 0);
        Put32(bytes, 0x100, 0x0015 | (1 << 16));
        Put32(bytes, 0x108, 7 | (1 << 5));

        Assert.That(PciConfigDecoder.Decode(bytes).Defects.Single().What, Does.Contain("resizable BAR's control"));
    }

    [Test]
    public void Decode_ResizableBarAtTheTop_IsADefect()
    {
        byte[] bytes = Express(4096, type: 0);
        Put32(bytes, 0x10, 0x0000000c);
        Put32(bytes, 0x14, 0xffffffff);
        Put32(bytes, 0x100, 0x0015 | (1 << 16));
        Put32(bytes, 0x108, (1 << 5) | (43 << 8));

        Assert.That(PciConfigDecoder.Decode(bytes).Defects.Single().What, Does.Contain("top of the address space"));
    }

    [TestCase(0)]
    [TestCase(63)]
    [TestCase(4097)]
    public void Decode_WrongLength_IsADefect(int length) =>
        Assert.That(PciConfigDecoder.Decode(new byte[length]).Defects.Single().What, Does.Contain("wrong length"));

    [Test]
    public void Decode_UnknownHeaderType_IsADefect()
    {
        byte[] bytes = Space(64);
        bytes[0x0e] = 0x03;

        Assert.That(PciConfigDecoder.Decode(bytes).Defects.Single().Offset, Is.EqualTo(0x0e));
    }
}
