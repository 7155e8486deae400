using System.IO.Compression;
using System.Text;
using ICSharpCode.SharpZipLib.BZip2;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Tests.Importers.Sysfs;

namespace Mm.P2pDma.Tests.Importers;

public sealed class MachineImportTests
{
    private static byte[] Gzip(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var packer = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            packer.Write(bytes);
        }

        return packed.ToArray();
    }

    private static byte[] Bzip2(byte[] bytes)
    {
        using var packed = new MemoryStream();
        BZip2.Compress(new MemoryStream(bytes), packed, isStreamOwner: false, level: 1);
        return packed.ToArray();
    }

    private static byte[] Fixture(string name) => File.ReadAllBytes(SharedFiles.Fixture(name));

    private static ImportResult Open(byte[] bytes, ImportLimits? limits = null) =>
        MachineImport.Open(new MemoryStream(bytes), "file", limits);

    [TestCase("hwloc-v2.xml", "hwloc-xml")]
    [TestCase("hwloc-v3.xml", "hwloc-xml")]
    [TestCase("nccl-v1.xml", "nccl-xml")]
    [TestCase("rccl-v2.xml", "nccl-xml")]
    [TestCase("lspci-acs.txt", "lspci")]
    [TestCase("lspci-xxxx.txt", "lspci")]
    public void Open_Fixture_FindsTheFormat_PlainAndPacked(string name, string format)
    {
        byte[] bytes = Fixture(name);
        Assert.Multiple(() =>
        {
            foreach (byte[] file in new[] { bytes, Gzip(bytes), Bzip2(bytes) })
            {
                ImportResult result = Open(file);
                Assert.That(result.Errors, Is.Empty);
                Assert.That(result.Format, Is.EqualTo(format));
            }
        });
    }

    [Test]
    public void Open_Archive_FindsTheFormat_PlainAndPacked()
    {
        byte[] archive = SysfsSample.Create().ToTar();
        Assert.Multiple(() =>
        {
            foreach (byte[] file in new[] { archive, Gzip(archive), Bzip2(archive) })
            {
                Assert.That(Open(file).Topology?.Snapshot.Functions.Count, Is.EqualTo(3));
            }
        });
    }

    [Test]
    public void Open_SeveralPackedPieces_AreOneFile()
    {
        byte[] bytes = Fixture("lspci-acs.txt");
        int half = bytes.Length / 2;
        Assert.Multiple(() =>
        {
            Assert.That(Open([.. Gzip(bytes[..half]), .. Gzip(bytes[half..])]).Topology?.Snapshot.Functions.Count, Is.EqualTo(10));
            Assert.That(Open([.. Bzip2(bytes[..half]), .. Bzip2(bytes[half..])]).Topology?.Snapshot.Functions.Count, Is.EqualTo(10));
        });
    }

    [Test]
    public void Open_CutOrDamagedPackedFile_IsRefused()
    {
        byte[] bytes = Fixture("lspci-acs.txt");
        Assert.Multiple(() =>
        {
            foreach (byte[] packed in new[] { Gzip(bytes), Bzip2(bytes) })
            {
                Assert.That(Open(packed[..(packed.Length / 2)]).Errors[0].What, Is.EqualTo("the packed file is damaged or cut off"));
                byte[] damaged = [.. packed];
                damaged[packed.Length / 2] ^= 0x55;
                Assert.That(Open(damaged).IsImported, Is.False);
            }
        });
    }

    [Test]
    public void Open_PackedBomb_IsRefused()
    {
        byte[] bomb = Gzip(new byte[1 << 20]);
        byte[] text = Gzip(Encoding.ASCII.GetBytes("00:00.0 X\n" + string.Concat(Enumerable.Repeat("\tignored\n", 200_000))));

        Assert.Multiple(() =>
        {
            Assert.That(Open(bomb).IsImported, Is.False);
            Assert.That(
                Open(text, ImportLimits.Default with { MaxUnpackedSize = ByteCount.FromKiB(64) }).Errors.Single().What,
                Does.Contain("too large"));
            Assert.That(
                Open(text, ImportLimits.Default with { MaxFileSize = new ByteCount(64) }).Errors.Single().What, Does.Contain("too large"));
        });
    }

    [TestCase("", "the file is empty")]
    [TestCase("hello", "the format is not known")]
    [TestCase("\tGPU0\tGPU1\tCPU Affinity\n", "nvidia-smi topo -m")]
    [TestCase("\t\u001b[4mGPU0\tGPU1\tmlx5_0\u001b[0m\n", "nvidia-smi topo -m")]
    [TestCase("-[0000:00]-+-00.0\n", "lspci -t")]
    [TestCase("PK\u0003\u0004", "zip")]
    public void Open_ForeignFile_IsRefusedWithAdvice(string text, string expected)
    {
        ImportResult result = Open(Encoding.UTF8.GetBytes(text));

        Assert.Multiple(() =>
        {
            Assert.That(result.Format, Is.EqualTo(MachineImport.UnknownFormat));
            Assert.That(result.Errors.Single().ToString(), Does.StartWith("file:1:1: ").And.Contain(expected).And.Contain("hwloc-xml"));
        });
    }

    [Test]
    public void Open_MissingFile_IsRefused()
    {
        ImportResult result = MachineImport.Open(Path.Combine(Path.GetTempPath(), "mm-no-such-file"));

        Assert.That(result.Errors.Single().What, Is.EqualTo("the file cannot be read"));
    }

    [Test]
    public void Open_Null_Throws() => Assert.That(() => MachineImport.Open((string)null!), Throws.ArgumentNullException);

    [Test]
    public void Open_SharedMachines_EachImportsOrIsRefusedForAReason()
    {
        string[] files = [.. SharedFiles.Machines("hwloc", "*"), .. SharedFiles.Machines("nccl", "*")];
        Assert.That(files, Is.Not.Empty);
        Assert.Multiple(() =>
        {
            foreach (string file in files)
            {
                ImportResult result = MachineImport.Open(file);
                Assert.That(result.Format, Is.Not.EqualTo(MachineImport.UnknownFormat), file);
                Assert.That(result.IsImported || result.Errors[0].Position.Line > 0, Is.True, $"{file}: a refusal must name its line");
            }
        });
    }
}
