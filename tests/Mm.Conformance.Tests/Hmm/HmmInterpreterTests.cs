using System.Text;

namespace Mm.Conformance.Tests.Hmm;

internal sealed class HmmInterpreterTests
{
    private const string Start = "program 1 private\nmap A 4 rw anon = ok\n";

    [Test]
    public void Replay_KeptRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run(KeptRecordings.Of("hmm"));

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That((report.Files.Count, report.Total.Programs), Is.EqualTo((6, 80L)));
        Assert.That(report.Total.Operations, Is.GreaterThan(3_000));
    }

    [Test]
    public void KeptRecordings_Together_HoldEveryOperationAndManyRefusals()
    {
        string[][] lines = [.. KeptPrograms.All.SelectMany(program => program.Lines).Select(line => line.Text.Split(' '))];
        IEnumerable<string> operations = lines.Select(words => words[0] == "child" ? $"child {words[1]}" : words[0]).Distinct();
        string[] both =
        [
            "cpu-read", "cpu-write", "device-read", "device-write", "migrate-to-device", "migrate-to-system", "make-exclusive",
            "check-exclusive", "snapshot", "pagemap",
        ];

        Assert.That(operations, Is.SupersetOf(both.Concat(both.Select(name => $"child {name}")).Concat(
            ["map", "unmap", "protect", "dontneed", "populate-write", "move", "fork", "child exit", "pin", "unpin", "long-pin", "long-unpin", "long-pin-read"])));
        Assert.That(
            lines.Select(words => words[Array.IndexOf(words, "=") + 1]).Distinct(),
            Is.SupersetOf(new[] { "ok", "SIGSEGV", "EFAULT", "EINVAL", "ENOENT", "ENOMEM", "EPERM", "EBUSY" }));
    }

    [Test]
    public void Replay_Difference_IsToldWithItsLine()
    {
        FileResult result = Replay(Start + "cpu-write A 1 7 = ok\ncpu-read A 1 = ok data=8/0\nend\n");

        Assert.That(result.ToString(), Is.EqualTo("t.txt: programs=1 operations=3 divergences=1"));
        Assert.That(result.First.Single().ToString(), Is.EqualTo("t.txt:4: cpu-read A 1: expected ok data=8/0, got ok data=7/0"));
    }

    [Test]
    public void Replay_OneOutcomeChanged_DivergesThereAndNowhereElse([Range(0, 50, 10)] int place)
    {
        foreach (KeptProgram program in KeptPrograms.All)
        {
            string[] lines = [.. program.Lines.Select(line => line.Text)];
            int changed = place % lines.Length;
            lines[changed] += " and=more";
            FileResult result = Replay($"{program.Header}\n{string.Join('\n', lines)}\nend\n");

            Assert.That(result.Error, Is.Null);
            Assert.That((result.Divergences, result.First.Single().Line), Is.EqualTo((1L, changed + 2L)), program.Header);
        }
    }

    [Test]
    public void Replay_ProgramAfterProgram_StartsAfresh()
    {
        FileResult result = Replay(
            Start + "cpu-write A 0 9 = ok\nmigrate-to-device 1 A 0 1 = ok cpages=1 data=9/0\nend\n"
            + "program 2 coherent\ncpu-read A 0 = SIGSEGV\nmap A 1 rw anon = ok\ncpu-read A 0 = ok data=0/0\nsnapshot 3 A 0 1 = ok cpages=1 perm=11\nend\n");

        Assert.That((result.Error, result.Divergences, result.Programs), Is.EqualTo(((object?)null, 0L, 2L)), string.Join('\n', result.First));
    }

    [Test]
    public void Replay_ProcessEndsWithPinsAndADeviceFullOfItsPages_LeavesNothing()
    {
        FileResult result = Replay(
            "program 1 pins\nmap A 4 rw anon = ok\ncpu-write A 0 5 = ok\npin 0 A 0 2 = ok\nlong-pin A 2 1 write fast = ok\n"
            + "migrate-to-device 0 A 0 4 = ENOENT\nfork = ok\nchild cpu-write A 0 6 = ok\nend\n");

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((object?)null, 0L)), string.Join('\n', result.First));
    }

    [TestCase("nonsense A 0 = ok", "3:10: not an operation, found \"nonsense\"")]
    [TestCase("cpu-read D 0 = ok", "3:12: not a region, found \"D\", allowed A, B or C")]
    [TestCase("cpu-read A 65537 = ok", "not a page, found \"65537\", allowed 0 to 65536")]
    [TestCase("cpu-read A x = ok", "not a number, found \"x\"")]
    [TestCase("cpu-read A -1 = ok", "not a number, found \"-1\"")]
    [TestCase("cpu-read A 99999999999999999999 = ok", "not a number")]
    [TestCase("cpu-read A = ok", "a word is missing")]
    [TestCase("cpu-read A 1 2 = ok", "3:14: a word too many, found \"2\"")]
    [TestCase("cpu-write A 1 = ok", "a word is missing, found \"end of line\", allowed a value")]
    [TestCase("snapshot 0 A 0 0 = ok", "not a number of pages, found \"0\", allowed 1 to 65536")]
    [TestCase("snapshot 0 A 0 65537 = ok", "not a number of pages, found \"65537\", allowed 1 to 65536")]
    [TestCase("snapshot 2 A 0 1 = ok", "not a device, found \"2\", allowed 0 or 1")]
    [TestCase("snapshot x A 0 1 = ok", "not a number, found \"x\", allowed a device")]
    [TestCase("map B 0 rw anon = ok", "not a number of pages, found \"0\", allowed 1 to 65536")]
    [TestCase("map B 1 rx anon = ok", "not a protection, found \"rx\", allowed rw, r- or --")]
    [TestCase("map B 1 rw hugetlb = ok", "not a kind of mapping, found \"hugetlb\", allowed anon, shared-anon, file-private or file-shared")]
    [TestCase("protect A 0 1 +x = ok", "not a protection")]
    [TestCase("move A B = ok", "a word too many")]
    [TestCase("long-pin A 0 1 touch fast = ok", "not an access, found \"touch\", allowed read or write")]
    [TestCase("long-pin A 0 1 read now = ok", "not a speed, found \"now\", allowed fast or slow")]
    [TestCase("pin x A 0 1 = ok", "not a number, found \"x\", allowed a slot")]
    [TestCase("child cpu-read A 0 = ok", "3:7: there is no child")]
    [TestCase("child exit = ok", "there is no child")]
    [TestCase("fork now = ok", "3:6: a word too many")]
    [TestCase("fork = ok\nfork = ok", "4:5: a child runs already")]
    [TestCase("fork = ok\nchild fork = ok", "not an operation, found \"fork\"")]
    [TestCase("fork = ok\nchild exit = ok\nchild exit = ok", "there is no child")]
    [TestCase("end of it", "3:5: a word too many")]
    [TestCase("end\ncpu-read A 0 = ok", "4:1: a program must begin here, found \"cpu-read\", allowed program")]
    [TestCase("end\nprogram x private", "not a number, found \"x\", allowed a seed")]
    [TestCase("end\nprogram 2 public", "not a kind of program, found \"public\", allowed private, coherent, huge, pins or pins-coherent")]
    [TestCase("program 2 private", "not an operation, found \"program\"")]
    public void Replay_Malformed_IsRefusedWithItsPlaceAndWhatIsAllowed(string lines, string error)
    {
        FileResult result = Replay($"{Start}{lines}\nend\n");

        Assert.That(result.Error?.ToString(), Does.StartWith("t.txt:").And.Contain(error).And.Contain("allowed"));
        Assert.That(result.Divergences, Is.Zero);
    }

    [Test]
    public void Replay_CoherentProgram_HasDevicesTwoAndThree()
    {
        FileResult result = Replay("program 1 coherent\nmap A 1 rw anon = ok\nsnapshot 0 A 0 1 = ok\nend\n");

        Assert.That(result.Error?.ToString(), Does.Contain("not a device, found \"0\", allowed 2 or 3"));
    }

    [Test]
    public void Replay_ProgramWithoutEnd_IsRefused()
    {
        FileResult result = Replay(Start + "cpu-read A 0 = ok data=0/0\n");

        Assert.That(result.Error?.ToString(), Does.StartWith("t.txt:3:").And.Contain("a program has no end").And.EndWith("allowed end"));
    }

    private static FileResult Replay(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return new ConformanceRunner().Run("t.txt", stream);
    }
}
