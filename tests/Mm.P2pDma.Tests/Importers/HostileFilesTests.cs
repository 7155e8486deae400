using System.Text;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Hwloc;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Importers.Nccl;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>What every importer of this folder's XML and JSON does with files made to hurt: a place, and nothing imported.</summary>
[TestFixtureSource(nameof(All))]
public sealed class HostileFilesTests(string format)
{
    private static readonly IMachineImporter[] Importers = [new HwlocXmlImporter(), new NcclXmlImporter(), new MachineFileImporter()];

    private readonly MachineImporterContract importer = new(Importers.Single(candidate => candidate.Format == format));

    private static IEnumerable<string> All => Importers.Select(candidate => candidate.Format);

    private string Fixture => format switch
    {
        "hwloc-xml" => File.ReadAllText(SharedFiles.Fixture("hwloc-v3.xml")),
        "nccl-xml" => File.ReadAllText(SharedFiles.Fixture("rccl-v2.xml")),
        _ => MachineFile.Write(new RandomTopology(1).Draw().Snapshot),
    };

    [Test]
    public void Import_Fixture_WorksUnharmed() => Assert.That(Import(Encoding.UTF8.GetBytes(Fixture)).IsImported, Is.True);

    [Test]
    public void Import_EntityBomb_IsRefusedAtOnce()
    {
        var bomb = new StringBuilder("<!DOCTYPE b [<!ENTITY e0 \"boom\">");
        for (int level = 1; level < 30; level++)
        {
            bomb.Append($"<!ENTITY e{level} \"{string.Concat(Enumerable.Repeat($"&e{level - 1};", 10))}\">");
        }

        bomb.Append("]><system version=\"1\">&e29;</system>");
        long before = GC.GetAllocatedBytesForCurrentThread();
        AssertRefused(Encoding.UTF8.GetBytes(bomb.ToString()));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [Test]
    public void Import_ExternalEntity_IsNotRead()
    {
        string secret = Path.Combine(TestContext.CurrentContext.WorkDirectory, $"secret-{format}.txt");
        File.WriteAllText(secret, "the secret");
        string text = $"<!DOCTYPE s [<!ENTITY x SYSTEM \"file://{secret}\">]><system version=\"1\"><cpu numaid=\"&x;\"/></system>";
        Assert.That(AssertRefused(Encoding.UTF8.GetBytes(text)).ToString(), Does.Not.Contain("the secret"));
    }

    [Test]
    public void Import_DeepNesting_IsRefused()
    {
        AssertRefused(Encoding.UTF8.GetBytes("<system version=\"1\">" + string.Concat(Enumerable.Repeat("<a>", 100_000))));
        AssertRefused(Encoding.UTF8.GetBytes(new string('[', 100_000)));
    }

    [Test]
    public void Import_EndlessLine_IsRefusedInBoundedMemory()
    {
        using Stream endless = TestText.Endless(format == "mm-machine" ? "{\"format\": \"" : "<topology version=\"", (byte)'3', 2L << 30);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportResult result = importer.Import(endless, "f", ImportLimits.Default);
        Assert.That(result.Errors.Single().ToString(), Does.StartWith("f:1:1048577: the line is too long"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    [Test]
    public void Import_EndlessFile_IsRefusedInBoundedMemory()
    {
        using Stream endless = TestText.Endless("", (byte)'\n', 2L << 30);
        ImportLimits limits = ImportLimits.Default with { MaxFileSize = ByteCount.FromMiB(1) };
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportResult result = importer.Import(endless, "f", limits);
        Assert.That(result.Errors.Single().What, Is.EqualTo("the file is too large"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    [Test]
    public void Import_OtherEncodings_AreRefused()
    {
        AssertRefused([0xFF, 0xFE, .. Encoding.Unicode.GetBytes(Fixture)]);
        AssertRefused([0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes(Fixture)]);
        AssertRefused([0x00, 0x00, 0xFE, 0xFF, .. Encoding.UTF32.GetBytes(Fixture)]);
        AssertRefused([.. Encoding.UTF8.GetBytes(Fixture[..40]), 0xE9, .. Encoding.UTF8.GetBytes(Fixture[40..])]);
    }

    [Test]
    public void Import_NulAnywhere_IsRefusedWithItsPlace()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Fixture);
        for (int at = 0; at < bytes.Length; at += Math.Max(1, bytes.Length / 50))
        {
            byte[] broken = [.. bytes];
            broken[at] = 0;
            ImportError error = AssertRefused(broken);
            Assert.That(error.What, Is.EqualTo("the text holds a NUL byte"));
            Assert.That(error.Position.Line, Is.EqualTo(1 + bytes.AsSpan(0, at).Count((byte)'\n')));
        }
    }

    [Test]
    public void Import_CutAnywhere_IsRefusedWithAPlace()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Fixture.TrimEnd());
        for (int length = 0; length < bytes.Length; length++)
        {
            AssertRefused(bytes[..length]);
        }
    }

    private ImportResult Import(byte[] bytes)
    {
        using var stream = new MemoryStream(bytes);
        return importer.Import(stream, "f", ImportLimits.Default);
    }

    private ImportError AssertRefused(byte[] bytes)
    {
        ImportResult result = Import(bytes);
        Assert.That(result.Topology, Is.Null);
        Assert.That(result.Errors[0].Position.Line, Is.GreaterThan(0), result.Errors[0].ToString());
        Assert.That(result.Errors[0].Position.Column, Is.GreaterThan(0), result.Errors[0].ToString());
        return result.Errors[0];
    }
}
