using System.Formats.Tar;
using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Importers.Sysfs;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

public sealed class TarArchiveReaderTests
{
    private static byte[] Archive(TarEntryFormat format, params (string Name, string Text)[] files)
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, format, leaveOpen: true))
        {
            foreach ((string name, string text) in files)
            {
                TarEntry entry = format switch
                {
                    TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.Ustar => new UstarTarEntry(TarEntryType.RegularFile, name),
                    TarEntryFormat.V7 => new V7TarEntry(TarEntryType.V7RegularFile, name),
                    _ => new PaxTarEntry(TarEntryType.RegularFile, name),
                };
                entry.DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text));
                writer.WriteEntry(entry);
            }
        }

        return archive.ToArray();
    }

    private static List<(string Name, string Text)> Read(byte[] archive)
    {
        var log = new ImportLog("a.tar", ImportLimits.Default);
        var reader = new TarArchiveReader(new MemoryStream(archive), log);
        var members = new List<(string, string)>();
        while (reader.TryReadNext(out TarMember member))
        {
            members.Add((member.Name, Encoding.UTF8.GetString(reader.ReadContents(ByteCount.FromMiB(1)))));
        }

        return members;
    }

    private static string Refusal(byte[] archive) =>
        Assert.Throws<ImportRefusedException>(() => Read(archive))!.Error.ToString();

    [TestCase(TarEntryFormat.V7)]
    [TestCase(TarEntryFormat.Ustar)]
    [TestCase(TarEntryFormat.Pax)]
    [TestCase(TarEntryFormat.Gnu)]
    public void Read_EveryFormatOfThePlatformsWriter_GivesItsMembers(TarEntryFormat format)
    {
        (string, string)[] files = [("a", "one"), ("b/c", new string('x', 1000)), ("empty", ""), (new string('d', 90), "long")];

        Assert.That(Read(Archive(format, files)), Is.EqualTo(files));
    }

    [TestCase(TarEntryFormat.Pax)]
    [TestCase(TarEntryFormat.Gnu)]
    public void Read_LongName_IsWhole(TarEntryFormat format)
    {
        string name = string.Join('/', Enumerable.Repeat("a-part-of-a-long-name", 20));

        Assert.That(Read(Archive(format, (name, "x"))), Is.EqualTo(new[] { (name, "x") }));
    }

    [Test]
    public void Read_CutOff_IsRefused()
    {
        byte[] archive = Archive(TarEntryFormat.Ustar, ("a", "one"), ("b", "two"));

        Assert.Multiple(() =>
        {
            foreach (int length in new[] { 0, 100, 512, 600, 1024, 1500, 2048 })
            {
                Assert.That(Refusal(archive[..length]), Does.Contain("the archive is cut off"), $"{length} bytes");
            }
        });
    }

    [Test]
    public void Read_DamagedHeader_IsRefusedWithItsPlace()
    {
        byte[] archive = Archive(TarEntryFormat.Ustar, ("a", "one"), ("b", "two"));
        archive[1024 + 5] ^= 1;

        Assert.That(Refusal(archive), Does.StartWith("a.tar:1:1025: not a header of a tar archive"));
    }

    [TestCase("S", "sparse")]
    [TestCase("L", "too long")]
    [TestCase("x", "too long")]
    public void Read_HostileHeader_IsRefused(string type, string expected)
    {
        byte[] archive = Archive(TarEntryFormat.Ustar, ("a", "one"));
        archive[156] = (byte)type[0];
        Encoding.ASCII.GetBytes("77777777777").CopyTo(archive, 124);
        FixChecksum(archive);

        Assert.That(Refusal(archive), Does.Contain(expected));
    }

    [Test]
    public void Read_HugeMember_IsRefusedBeforeAnythingIsHeld()
    {
        byte[] archive = Archive(TarEntryFormat.Ustar, ("a", "one"));
        archive[124] = 0x80; // GNU's binary form of 2^63 bytes
        archive.AsSpan(125, 11).Clear();
        archive[128] = 0x80;
        FixChecksum(archive);

        Assert.That(Refusal(archive), Does.Contain("too large"));
    }

    [TestCase("9 pat=x\n")]
    [TestCase("999 path=x\n")]
    [TestCase("x path=x\n")]
    [TestCase("1 \n")]
    public void Read_DamagedExtendedHeader_IsRefused(string records)
    {
        byte[] archive = Archive(TarEntryFormat.Ustar, ("a", records));
        archive[156] = (byte)'x';
        FixChecksum(archive);

        Assert.That(Refusal(archive), Does.Contain("an extended header of the archive is damaged"));
    }

    private static void FixChecksum(byte[] archive)
    {
        archive.AsSpan(148, 8).Fill((byte)' ');
        int sum = archive.AsSpan(0, 512).ToArray().Sum(value => value);
        Encoding.ASCII.GetBytes(Convert.ToString(sum, 8).PadLeft(6, '0') + "\0 ").CopyTo(archive, 148);
    }
}
