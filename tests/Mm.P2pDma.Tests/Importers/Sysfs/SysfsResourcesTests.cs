using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class SysfsResourcesTests
{
    private static readonly ImportPosition Place = new("resource", 0, 0);

    private static List<PciBar> Read(string text, out ImportLog log)
    {
        log = new ImportLog("t", ImportLimits.Default);
        return SysfsResources.Read(Encoding.ASCII.GetBytes(text), Place, log);
    }

    [TestCase("0x3bc00000000 0x3bdffffffff 0x12120c", PciBarFlags.Memory | PciBarFlags.Is64Bit)]
    [TestCase("0x3bc00000000 0x3bdffffffff 0x14220c", PciBarFlags.Memory | PciBarFlags.Prefetchable | PciBarFlags.Is64Bit)]
    [TestCase("0x1000 0x10ff 0x40101", PciBarFlags.Io)]
    [TestCase("0xf0000000 0xf0ffffff 0x10040200", PciBarFlags.Memory | PciBarFlags.Disabled)]
    public void Read_Flags_SayWhatItIs(string line, PciBarFlags expected) =>
        Assert.That(Read(line, out _).Single().Flags, Is.EqualTo(expected));

    [Test]
    public void Read_UnsetWindow_KeepsItsSize()
    {
        PciBar bar = Read("0x0 0xfffff 0x20040200\n", out _).Single();

        Assert.That((bar.Address, bar.Size), Is.EqualTo(((PhysAddr?)null, (ByteCount?)ByteCount.FromMiB(1))));
    }

    [Test]
    public void Read_EmptyWindow_HasNoSize()
    {
        PciBar bar = Read("0x0 0xffffffffffffffff 0x200\n", out ImportLog log).Single();

        Assert.That((bar.Address, bar.Size, log.HasErrors), Is.EqualTo(((PhysAddr?)null, (ByteCount?)null, false)));
    }

    [Test]
    public void Read_SeventhLine_IsTheRomAndLaterOnesAreNotRead()
    {
        string text = string.Concat(Enumerable.Repeat("0x0 0x0 0x0\n", 6)) + "0xfe000000 0xfe00ffff 0x200\n" + "rubbish\n";

        List<PciBar> bars = Read(text, out ImportLog log);

        Assert.That(log.HasErrors, Is.False);
        Assert.That(bars.Single().Index, Is.EqualTo(PciBar.RomIndex));
    }

    [TestCase("0x1 0x2\n")]
    [TestCase("1 2 0x200\n")]
    [TestCase("0x2000 0x1000 0x200\n")]
    public void Read_Malformed_IsAnError(string text)
    {
        _ = Read(text, out ImportLog log);

        Assert.That(log.HasErrors, Is.True);
    }
}
