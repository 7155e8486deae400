using System.IO.Compression;
using System.Text;
using Mm.Conformance.Recordings;
using Mm.Core;

namespace Mm.Conformance.Tests;

public sealed class ConformanceRunnerTests
{
    [Test]
    public void Run_MissingFile_IsUnreadable()
    {
        ConformanceReport report = new ConformanceRunner().Run(["no/such/file.txt"]);

        Assert.That((report.ExitCode, report.IsReadable), Is.EqualTo((2, false)));
        Assert.That(report.Files.Single().Error!.ToString(), Does.StartWith("no/such/file.txt:0:0: the file cannot be read"));
    }

    [TestCase("", "the recording is empty")]
    [TestCase("# nothing but a comment\n\n", "the recording is empty")]
    [TestCase("something else\n", "not a kind of recording")]
    public void Run_NoRecording_IsRefused(string text, string error)
    {
        FileResult result = Run("t.txt", Encoding.UTF8.GetBytes(text));

        Assert.That(result.Error!.ToString(), Does.Contain(error));
    }

    [Test]
    public void Run_NotUtf8_IsRefused()
    {
        Assert.That(Run("t.txt", [0x6d, 0xff, 0xfe, 0x0a]).Error!.What, Is.EqualTo("the text is not UTF-8"));
    }

    [Test]
    public void Run_BrokenGzip_IsRefused()
    {
        Assert.That(Run("t.txt.gz", "machine seed=1\n"u8.ToArray()).Error!.What, Is.EqualTo("the gzip stream is broken"));
    }

    [Test]
    public void Run_TruncatedGzip_IsRefusedOrShort()
    {
        byte[] whole = Zip("machine seed=1\n" + new string('#', 10_000) + "\nconfig 0 cpu=intel-6\n");

        FileResult result = Run("t.txt.gz", whole[..(whole.Length / 2)]);

        Assert.That(result.Divergences, Is.Zero);
    }

    [Test]
    public void Run_EndlessLine_IsRefusedBeforeItIsHeld()
    {
        var limits = new RecordingLimits { MaxLineLength = 1000 };

        RecordingError error = Run("t.txt", Encoding.UTF8.GetBytes(new string('m', 100_000)), limits).Error!;

        Assert.That(error.What, Is.EqualTo("the line is too long"));
    }

    [Test]
    public void Run_CompressedBomb_IsRefusedAtTheLimit()
    {
        var limits = new RecordingLimits { MaxFileSize = ByteCount.FromKiB(64) };
        byte[] bomb = Zip("machine seed=1\n" + string.Concat(Enumerable.Repeat("#\n", 1_000_000)));

        Assert.That(Run("t.txt.gz", bomb, limits).Error!.What, Is.EqualTo("the file is too large"));
    }

    [Test]
    public void Run_TooManyDevices_IsRefused()
    {
        var limits = new RecordingLimits { MaxDevices = 1 };
        const string Line = "device 0000:00:0{0}.0 parent=root host-bridge=0000:00 id=1:1 class=060400 type=root-port\n";

        FileResult result = Run("t.txt", Encoding.UTF8.GetBytes("machine seed=1\n" + Line.Replace("{0}", "0") + Line.Replace("{0}", "1")), limits);

        Assert.That(result.Error!.ToString(), Does.StartWith("t.txt:3:").And.Contain("too many devices"));
    }

    [Test]
    public void ToString_ControlCharactersInAnError_AreMasked()
    {
        var error = new RecordingError("f", 1, 2, "not it", "a\u001b[31mb" + new string('c', 200), "else");

        Assert.That(error.ToString(), Does.StartWith("f:1:2: not it, found \"a?[31mb").And.Contain("..."));
    }

    [Test]
    public void Run_Folder_TakesRecordingsInOrderAndNothingElse()
    {
        string folder = Directory.CreateTempSubdirectory("mm-conform").FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "b.txt"), "machine seed=1\n");
            File.WriteAllBytes(Path.Combine(folder, "a.txt.gz"), Zip("machine seed=1\n"));
            File.WriteAllText(Path.Combine(folder, "readme.md"), "no recording");

            ConformanceReport report = new ConformanceRunner().Run([folder]);

            Assert.That(report.Files.Select(file => Path.GetFileName(file.File)), Is.EqualTo(new[] { "a.txt.gz", "b.txt" }));
            Assert.That(report.Total.ToString(), Is.EqualTo("total: programs=0 operations=0 divergences=0"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static FileResult Run(string name, byte[] bytes, RecordingLimits? limits = null)
    {
        using var stream = new MemoryStream(bytes);
        return new ConformanceRunner(new ConformanceOptions { Limits = limits ?? new RecordingLimits() }).Run(name, stream);
    }

    private static byte[] Zip(string text)
    {
        using var packed = new MemoryStream();
        using (var zip = new GZipStream(packed, CompressionLevel.Optimal))
        {
            zip.Write(Encoding.UTF8.GetBytes(text));
        }

        return packed.ToArray();
    }
}
