using System.Text;
using Mm.Conformance.DmaBuf;
using Mm.Conformance.Recordings;

namespace Mm.Conformance.Tests.DmaBuf;

internal sealed class DmaBufInterpreterTests
{
    [Test]
    public void Replay_KeptRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run(KeptRecordings.Of("dma-buf"));

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That((report.Files.Count, report.Total.Programs), Is.EqualTo((1, 41L)));
        Assert.That(report.Total.Operations, Is.GreaterThan(2_000));
    }

    [Test]
    public void Replay_SharedRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run([KeptRecordings.Shared("dma-buf")]);

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That(report.Total.Programs, Is.EqualTo(200L * report.Files.Count));
    }

    [Test]
    public void Replay_WithOneRuleWrong_Diverges([Values] DmaBufTwist twist)
    {
        ConformanceReport report = new ConformanceRunner(new ConformanceOptions
        {
            CreateDmaBufProgram = () => new WrongDmaBufProgram(twist),
        }).Run(KeptRecordings.Of("dma-buf"));

        Assert.That(report.IsReadable, Is.True);
        Assert.That(report.Total.Divergences, twist == DmaBufTwist.None ? Is.Zero : Is.Positive);
    }

    [Test]
    public void Replay_Difference_IsToldWithItsLine()
    {
        FileResult result = Replay("timeline 0 = ok\nfence 1 0 1 = ok\nwait 1 = signaled\n");

        Assert.That(result.ToString(), Is.EqualTo("dma-buf-t.txt: programs=1 operations=3 divergences=1"));
        Assert.That(result.First.Single().ToString(), Is.EqualTo("dma-buf-t.txt:4: wait 1: expected signaled, got pending"));
    }

    [TestCase("info 1 = EBADF")]
    [TestCase("wait 1 = EBADF")]
    [TestCase("close-fence 1 = EBADF")]
    [TestCase("close-buffer 1 = EBADF")]
    [TestCase("close-timeline 1 = EBADF")]
    [TestCase("advance 1 1 = EBADF")]
    [TestCase("fence 1 1 1 = EBADF")]
    [TestCase("merge 1 2 3 = EBADF")]
    [TestCase("import-fence 1 1 flags=1 = EBADF")]
    [TestCase("export-fence 1 1 flags=1 = EBADF")]
    [TestCase("ready 1 = EBADF")]
    [TestCase("cpu-access 1 flags=1 = EBADF")]
    [TestCase("mmap 1 pages=1 at=0 = EBADF")]
    [TestCase("seek 1 0 0 = EBADF")]
    public void Replay_OfAnEmptySlot_IsNoFile(string line)
    {
        FileResult result = Replay(line + "\n");

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [Test]
    public void Replay_FenceOverAnother_ClosesTheFirst()
    {
        FileResult result = Replay(
            """
            timeline 0 = ok
            fence 1 0 1 = ok
            fence 1 0 0 = ok
            wait 1 = signaled
            heap 0 size=1 flags=0 = ok
            heap 0 size=8192 flags=0 = ok
            seek 0 0 2 = ok at=8192
            import-fence 0 9 flags=1 = EINVAL
            merge 2 1 9 = ENOENT

            """);

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [Test]
    public void Replay_ThreeFencesAlike_AreWrittenAsARun()
    {
        FileResult result = Replay(
            """
            timeline 0 = ok
            timeline 1 = ok
            timeline 2 = ok
            fence 0 0 1 = ok
            fence 1 1 1 = ok
            fence 2 2 1 = ok
            merge 3 0 1 = ok
            merge 4 3 2 = ok
            info 4 = ok status=0 fences=3 each=0*3
            info 4 = ok status=0 fences=3 each=0,0,0

            """);

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [TestCase("nonsense", "2:1: not an operation")]
    [TestCase("program 2", "2:9: a program begins or ends in the wrong place")]
    [TestCase("end\nend", "3:4: a program begins or ends in the wrong place")]
    [TestCase("end\nready 0 = ok", "3:1: an operation stands in the wrong place")]
    [TestCase("timeline = ok", "a word is missing")]
    [TestCase("timeline red = ok", "not a number")]
    [TestCase("timeline 0 1 = ok", "a word too many")]
    [TestCase("fence 0 0 4294967296 = ok", "not a value")]
    [TestCase("seek 0 x 0 = ok", "not a number")]
    [TestCase("heap 0 size=1 flags=4294967296 = ok", "not flags")]
    [TestCase("heap 0 flags=1 = ok", "an argument does not fit")]
    [TestCase("udmabuf 0 file-pages=6 seals=red offset=0 size=0 = ok", "not a seal")]
    [TestCase("udmabuf 0 file-pages=99999 seals=none offset=0 size=0 = ok", "not a file that is modelled")]
    public void Replay_Malformed_IsRefusedWithItsPlace(string lines, string error)
    {
        FileResult result = Replay(lines + "\n", hasEnd: false);

        Assert.That(result.Error?.ToString(), Does.StartWith("dma-buf-t.txt:").And.Contain(error));
    }

    [Test]
    public void Replay_ProgramWithoutEnd_IsRefused()
    {
        Assert.That(Replay("timeline 0 = ok\n", hasEnd: false).Error?.What, Is.EqualTo("a program has no end"));
    }

    [TestCase("dma-buf", "x.txt", true)]
    [TestCase("", "dma-buf-x.txt", true)]
    [TestCase("hmm", "x.txt", false)]
    public void Recognizes_ByFolderOrName(string folder, string file, bool expected)
    {
        Assert.That(DmaBufInterpreter.Recognizes(folder, new RecordingLine(file, 1, "program 1")), Is.EqualTo(expected));
        Assert.That(DmaBufInterpreter.Recognizes(folder, new RecordingLine(file, 1, "machine seed=1")), Is.False);
    }

    private static FileResult Replay(string lines, bool hasEnd = true)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes("program 1\n" + lines + (hasEnd ? "end\n" : "")));
        return new ConformanceRunner().Run("dma-buf-t.txt", stream);
    }
}
