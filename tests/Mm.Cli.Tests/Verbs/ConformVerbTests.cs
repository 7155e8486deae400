using System.IO.Compression;
using System.Text;

namespace Mm.Cli.Tests.Verbs;

[TestFixture]
internal sealed class ConformVerbTests
{
    private const string Agreed = """
        machine seed=1
        device 0000:00:00.0 parent=root host-bridge=0000:00 id=8086:29c0 class=060000 type=pci-device
        device 0000:00:04.0 parent=root host-bridge=0000:00 id=1b36:000c class=060400 type=root-port bar0=0x1000
        device 0000:01:00.0 parent=0000:00:04.0 host-bridge=0000:00 id=1af4:1110 class=050000 type=pci-device bar2=0x1000000
        config 0 cpu=intel-0x6
        first-on-root 0000:00:00.0 id=1b36:000c
        pair 0000:01:00.0 0000:01:00.0 = distance=0 map=bus-address

        """;

    private string folder = null!;

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mm-conform-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    [Test]
    public void Recording_ThatAgrees_ExitsWith0AndSumsUp()
    {
        string path = Write("a.txt", Agreed);
        ToolRun run = ToolRun.Of("conform", path);
        string[] lines = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(lines[0], Is.EqualTo($"{path}: programs=1 operations=1 divergences=0"));
        Assert.That(lines[^1], Does.EndWith("programs=1 operations=1 divergences=0"));
    }

    [Test]
    public void Recording_ThatDiffers_ExitsWith1AndGivesTheLine()
    {
        string path = Write("b.txt", Agreed.Replace("distance=0", "distance=3", StringComparison.Ordinal));
        ToolRun run = ToolRun.Of("conform", path);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Output, Does.Contain($"{path}:7: "));
        Assert.That(run.Output, Does.Contain("expected distance=3 map=bus-address, got distance=0 map=bus-address"));
    }

    [Test]
    public void Recording_Compressed_IsReadFromItsFolder()
    {
        using (FileStream file = File.Create(Path.Combine(folder, "c.txt.gz")))
        using (var gzip = new GZipStream(file, CompressionLevel.Fastest))
        {
            gzip.Write(Encoding.UTF8.GetBytes(Agreed));
        }

        Assert.That(ToolRun.Of("conform", folder).ExitCode, Is.Zero);
    }

    [Test]
    public void Recording_ThatIsNone_ExitsWith2AndNamesTheLine()
    {
        string path = Write("d.txt", "what is this\n");
        ToolRun run = ToolRun.Of("conform", path);
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain($"{path}:1:"));
        Assert.That(run.Output, Does.StartWith($"{path}: unreadable after operations=0\n").And.EndWith(" unreadable=1\n"));
    }

    [Test]
    public void Recording_ThatIsMissing_ExitsWith2() =>
        Assert.That(ToolRun.Of("conform", Path.Combine(folder, "missing.txt")).ExitCode, Is.EqualTo(2));

    private string Write(string name, string text)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
