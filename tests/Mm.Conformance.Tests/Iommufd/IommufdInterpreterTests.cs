using System.Text;
using Mm.Conformance.Iommufd;
using Mm.Conformance.Recordings;

namespace Mm.Conformance.Tests.Iommufd;

public sealed class IommufdInterpreterTests
{
    [Test]
    public void Replay_KeptRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run(KeptRecordings.Of("iommufd"));

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That((report.Files.Count, report.Total.Programs), Is.EqualTo((1, 17L)));
        Assert.That(report.Total.Operations, Is.GreaterThan(1_300));
    }

    [Test]
    public void Replay_SharedRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run([KeptRecordings.Shared("iommufd")]);

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That(report.Total.Programs, Is.EqualTo(50L * report.Files.Count));
    }

    private static IEnumerable<TestCaseData> MutatedModels()
    {
        yield return Mutant("chooses the first page", () => new() { ChoosesFirstPage = true });
        yield return Mutant("ignores what is allowed", () => new() { IgnoresAllowed = true });
        yield return Mutant("what is allowed binds given addresses", () => new() { AllowedBindsGiven = true });
        yield return Mutant("allows what is reserved", () => new() { AllowsReserved = true });
        yield return Mutant("ignores what is reserved", () => new() { IgnoresReserved = true });
        yield return Mutant("reserves what is mapped", () => new() { ReservesMapped = true });
        yield return Mutant("tells the length that was asked", () => new() { UnmapsWhatWasAsked = true });
        yield return Mutant("nothing to unmap is fine", () => new() { FindsNothingIsFine = true });
        yield return Mutant("copies without permission", () => new() { CopiesWithoutPermission = true });
        yield return Mutant("copies from nowhere", () => new() { CopiesFromNowhere = true });
        yield return Mutant("pins every time", () => new() { PinsEveryTime = true });
        yield return Mutant("pins nothing", () => new() { PinsNothing = true });
        yield return Mutant("keeps the alignment", () => new() { KeepsAlignment = true });
        yield return Mutant("has no aperture", () => new() { HasNoAperture = true });
        yield return Mutant("does not say busy", () => new() { DestroysBusy = true });
        yield return Mutant("reads zeros", () => new() { ReadsZeros = true });
        yield return Mutant("writes nothing", () => new() { WritesNothing = true });
        yield return Mutant("ignores permission", () => new() { IgnoresPermission = true });
        yield return Mutant("translates to the next page", () => new() { TranslatesNextPage = true });
        yield return Mutant("pins other pages", () => new() { PinsOtherPages = true });
    }

    [TestCaseSource(nameof(MutatedModels))]
    public void Replay_MutatedModel_Diverges(object create)
    {
        ConformanceReport report = ReplayWith((Func<WrongIommufdModel>)create);

        Assert.That(report.IsReadable, Is.True, KeptRecordings.Describe(report));
        Assert.That(report.Total.Divergences, Is.Positive);
    }

    [Test]
    public void Replay_WrappedModelUnmutated_HasNoDivergence()
    {
        ConformanceReport report = ReplayWith(() => new WrongIommufdModel());

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
    }

    [Test]
    public void Replay_Difference_IsToldWithItsLine()
    {
        FileResult result = Replay("program 1\nspace 0 = ok\nmap 0 at=any user=0 length=0x1000 rw = ok iova=0x2000\nend\n");

        Assert.That(result.ToString(), Is.EqualTo("iommufd-t.txt: programs=1 operations=2 divergences=1"));
        Assert.That(result.First.Single().ToString(), Is.EqualTo(
            "iommufd-t.txt:3: map 0 at=any user=0 length=0x1000 rw: expected ok iova=0x2000, got ok iova=0x1000"));
    }

    [TestCase("map 0 at=0xffffffffffffffff user=0 length=1 rw = EOVERFLOW")]
    [TestCase("map 0 at=0xfffffffffffffffe user=0 length=0x1000 rw = EOVERFLOW")]
    [TestCase("map 0 at=0xfffffffffffff000 user=0 length=0x1000 rw = ok iova=0xfffffffffffff000")]
    [TestCase("map 0 at=any user=0 length=0 rw = EINVAL")]
    [TestCase("map 0 at=any user=0x40000 length=0x1000 r- = ok iova=0x1000", "attach 0 = EADDRINUSE", "unmap 0 iova=0 length=0xffffffffffffffff = ok unmapped=0x1000", "attach 0 = ok", "map 0 at=any user=0x40000 length=0x1000 r- = EFAULT")]
    [TestCase("unmap 0 iova=0 length=0xffffffffffffffff = ok unmapped=0")]
    [TestCase("allow 0 0x1000-0x1fff,0x2000-0x2fff,0x3000-0x3fff = ok", "map 0 at=any user=0 length=0x2000 rw = ok iova=0x2000", "map 0 at=any user=0x1000 length=0x1000 rw = ok iova=0x1000", "map 0 at=any user=0 length=0x1000 rw = ENOSPC")]
    [TestCase("allow 0 0x1000-0x1fff,0x1800-0x2fff = EINVAL")]
    [TestCase("reserve 0 0 length=0 = EINVAL")]
    [TestCase("access 0 = ok", "access-unpin 0 7 = ENOENT", "map 0 at=0x1000 user=0x3000 length=0x2000 rw = ok iova=0x1000", "access-pin 0 7 iova=0x1000 length=0x2000 read = ok page=3", "pins 4 = ok count=1", "unmap 0 iova=0x1000 length=0x2000 = ok unmapped=0x2000", "pins 4 = ok count=0", "access-unpin 0 7 = ENOENT")]
    public void Replay_Lines_AnswerAsTheKernel(params string[] lines)
    {
        FileResult result = Replay($"program 1\nspace 0 = ok\n{string.Join('\n', lines)}\nend\n");

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [TestCase("nonsense 0 = ok", "not an operation of iommufd")]
    [TestCase("space 0 = ok\nspace 0 = ok", "the space is in the wrong state")]
    [TestCase("space 3 = ok", "not a space")]
    [TestCase("map 0 at=any user=0 length=1 rw = ok", "the space is in the wrong state")]
    [TestCase("space 0 = ok\ndetach 0 = ok", "the space is in the wrong state")]
    [TestCase("space 0 = ok\naccess 0 = ok\naccess 0 = ok", "the space is in the wrong state")]
    [TestCase("space 0 = ok\nattach 0 = ok\nattach 0 = ok", "the space is in the wrong state")]
    [TestCase("space 0 = ok\ntranslate 0 0 = ok", "the space is in the wrong state")]
    [TestCase("space 0 = ok\nmap 0 at=any user=0 length=1 r = ok", "not an access")]
    [TestCase("space 0 = ok\nmap 0 at=any user=0 length=red rw = ok", "not a number")]
    [TestCase("space 0 = ok\nmap 0 at=any user=0 rw = ok", "an argument does not fit")]
    [TestCase("space 0 = ok\nunmap 0 iova=0 length=1 more = ok", "3:25: a word too many")]
    [TestCase("space 0 = ok\nallow 0 5-4 = ok", "not a range")]
    [TestCase("space 0 = ok\nallow 0 1-2-3 = ok", "not a range")]
    [TestCase("space 0 = ok\naccess 0 = ok\naccess-pin 0 70000 iova=0 length=1 read = ok", "not a slot")]
    [TestCase("space 0 = ok\naccess 0 = ok\naccess-pin 0 0 iova=0 length=1 both = ok", "not a kind of access")]
    [TestCase("space 0 = ok\naccess 0 = ok\naccess-read 0 iova=0 length=0x1000001 = ok", "more than an access takes at once")]
    [TestCase("space 0 = ok\naccess 0 = ok\naccess-write 0 iova=0 length=1 value=256 = ok", "not a byte")]
    [TestCase("pins 64 = ok count=0", "not a page of the buffer")]
    [TestCase("program 2", "a program begins inside another")]
    [TestCase("end\nspace 0 = ok", "an operation stands outside a program")]
    [TestCase("space 0 = ok", "a program has no end")]
    public void Replay_Malformed_IsRefusedWithItsPlace(string lines, string error)
    {
        FileResult result = Replay($"program 1\n{lines}\n");

        Assert.That(result.Error?.ToString(), Does.StartWith("iommufd-t.txt:").And.Contain(error));
    }

    [Test]
    public void Replay_ProgramsOutsideTheFolder_AreNotTakenForThisKind()
    {
        using var stream = new MemoryStream("program 1\nend\n"u8.ToArray());

        Assert.That(new ConformanceRunner().Run("t.txt", stream).Error?.ToString(), Does.Contain("not a kind of recording"));
    }

    private static FileResult Replay(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return new ConformanceRunner().Run("iommufd-t.txt", stream);
    }

    private static ConformanceReport ReplayWith(Func<IIommufdModel> create) =>
        new ConformanceRunner(new ConformanceOptions { CreateIommufd = create }).Run(KeptRecordings.Of("iommufd"));

    private static TestCaseData Mutant(string name, Func<WrongIommufdModel> create) =>
        new TestCaseData(create).SetArgDisplayNames(name);
}
