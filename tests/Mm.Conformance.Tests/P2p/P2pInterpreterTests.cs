using System.Text;
using Mm.Conformance.P2p;
using Mm.Conformance.Recordings;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.Tests.P2p;

public sealed class P2pInterpreterTests
{
    private const string Machine =
        """
        machine seed=1
        device 0000:00:00.0 parent=root host-bridge=0000:00 id=8086:2030 class=060400 type=root-port bar0=0x1000
        device 0000:01:00.0 parent=0000:00:00.0 host-bridge=0000:00 id=1af4:1110 class=050000 type=endpoint bar2=0x1000000
        device 0000:01:00.1 parent=0000:00:00.0 host-bridge=0000:00 id=1af4:1110 class=050000 type=something-new

        """;

    private const string Config = "config 0 cpu=intel-0x6\n";

    [Test]
    public void Replay_KeptRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run(KeptRecordings.Of("p2p"));

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That((report.Files.Count, report.Total.Programs), Is.EqualTo((5, 100L)));
        Assert.That(report.Total.Operations, Is.GreaterThan(6_000));
    }

    [Test]
    public void Replay_SharedRecordings_HasNoDivergence()
    {
        ConformanceReport report = new ConformanceRunner().Run([KeptRecordings.Shared("p2p")]);

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
        Assert.That(report.Total.Programs, Is.EqualTo(20L * report.Files.Count));
    }

    public static IEnumerable<TestCaseData> MutatedRules()
    {
        P2pRules right = P2pRules.Linux612;
        foreach (AcsBits bit in (AcsBits[])[AcsBits.RequestRedirect, AcsBits.CompletionRedirect, AcsBits.EgressControl])
        {
            yield return Mutant($"without {bit}", right with { RedirectBits = right.RedirectBits & ~bit });
        }

        foreach (AcsBits bit in (AcsBits[])[AcsBits.SourceValidation, AcsBits.TranslationBlocking, AcsBits.UpstreamForwarding, AcsBits.DirectTranslated])
        {
            yield return Mutant($"with {bit}", right with { RedirectBits = right.RedirectBits | bit });
        }

        foreach (AcsScope part in (AcsScope[])[AcsScope.Provider, AcsScope.ProviderBridges, AcsScope.CommonBridge, AcsScope.Client, AcsScope.ClientBridges])
        {
            yield return Mutant($"ACS of {part} not asked", right with { AcsScope = AcsScope.All & ~part });
        }

        foreach (int device in (int[])[0x3c00, 0x2f01, 0x2030, 0x2020, 0x09a2])
        {
            yield return Mutant($"{device:x4} not listed", right with { AllowList = [.. right.AllowList.Where(e => e.Device != device)] });
            yield return Mutant($"{device:x4} of the other flag", right with
            {
                AllowList = [.. right.AllowList.Select(e =>
                    e.Device == device ? e with { RequiresSameHostBridge = !e.RequiresSameHostBridge } : e)],
            });
        }

        yield return Mutant("1022:1480 listed", right with { AllowList = [.. right.AllowList, new HostBridgeEntry(0x1022, 0x1480, false, "none")] });
        yield return Mutant("same bridge not honoured", right with { HonoursSameHostBridge = false });
        yield return Mutant("one bridge asked", right with { AsksBothHostBridges = false });
        yield return Mutant("AMD from 0x16", right with { AmdFamilyFrom = 0x16 });
        yield return Mutant("AMD from 0x1a", right with { AmdFamilyFrom = 0x1a });
        yield return Mutant("no CPU rule", right with { HasCpuRule = false });
        yield return Mutant("first must be root port", right with { FirstDevice = FirstDeviceRule.RootPortOnly });
        yield return Mutant("last on bus asked", right with { FirstDevice = FirstDeviceRule.LastOnBus });
        yield return Mutant("client's hops not counted", right with { CountsClientHops = false });
    }

    [TestCaseSource(nameof(MutatedRules))]
    public void Replay_MutatedRules_Diverges(P2pRules rules)
    {
        ConformanceReport report =
            new ConformanceRunner(new ConformanceOptions { P2pRules = rules }).Run(KeptRecordings.Of("p2p"));

        Assert.That(report.IsReadable, Is.True);
        Assert.That(report.Total.Divergences, Is.Positive);
    }

    private static IEnumerable<TestCaseData> MutatedMemory()
    {
        yield return Memory("granule of 4 KiB", layout => new WrongMemoryModel(layout) { Granule = 4096 });
        yield return Memory("granule of 1 MiB", layout => new WrongMemoryModel(layout) { Granule = 1 << 20 });
        yield return Memory("granule of 4 MiB", layout => new WrongMemoryModel(layout) { Granule = 4 << 20 });
        yield return Memory("overlap allowed", layout => new WrongMemoryModel(layout) { RefusesOverlap = false });
        yield return Memory("zero is nothing", layout => new WrongMemoryModel(layout) { ZeroIsTheRest = false });
        yield return Memory("best fit", layout => new WrongMemoryModel(layout) { Choice = WrongMemoryModel.Fit.Best });
        yield return Memory("last fit", layout => new WrongMemoryModel(layout) { Choice = WrongMemoryModel.Fit.Last });
        yield return Memory("units of 512 bytes", layout => new WrongMemoryModel(layout) { Unit = 512 });
        yield return Memory("free does nothing", layout => new WrongMemoryModel(layout) { Frees = false });
    }

    [TestCaseSource(nameof(MutatedMemory))]
    public void Replay_MutatedMemory_Diverges(object create)
    {
        ConformanceReport report = ReplayWith((Func<P2pBarLayout, IP2pMemoryModel>)create);

        Assert.That(report.IsReadable, Is.True);
        Assert.That(report.Total.Divergences, Is.Positive);
    }

    [Test]
    public void Replay_PlainMemoryUnmutated_HasNoDivergence()
    {
        ConformanceReport report = ReplayWith(layout => new WrongMemoryModel(layout));

        Assert.That(report.ExitCode, Is.Zero, KeptRecordings.Describe(report));
    }

    [Test]
    public void Replay_Difference_IsToldWithItsLine()
    {
        FileResult result = Replay(Machine + Config
            + "pair 0000:01:00.0 0000:01:00.1 = distance=2 map=bus-address\n"
            + "pair 0000:01:00.0 0000:01:00.1 = distance=4 map=bus-address\n");

        Assert.That(result.ToString(), Is.EqualTo("t.txt: programs=1 operations=2 divergences=1"));
        Assert.That(result.First.Single().ToString(), Is.EqualTo(
            "t.txt:7: pair 0000:01:00.0 0000:01:00.1: expected distance=4 map=bus-address, got distance=2 map=bus-address"));
    }

    [TestCase("add size=0x200000 offset=0x0 = ok")]
    [TestCase("add size=0x0 offset=0x800000 = ok")]
    [TestCase("add size=0x1000001 offset=0x0 = EINVAL")]
    [TestCase("add size=0xffffffffffffffff offset=0x1 = EINVAL")]
    public void Replay_AddResource_AnswersAsTheKernel(string line)
    {
        FileResult result = Replay(
            $"{Machine}add-resource 0000:01:00.0 bar=2 len=0x1000000 start-aligned-2M=1\n{line}\nend\n");

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [Test]
    public void Replay_AddResourceToABarOffTheGranule_IsRefused()
    {
        FileResult result = Replay(Machine
            + "add-resource 0000:01:00.0 bar=2 len=0x1000000 start-aligned-2M=0\nadd size=0x200000 offset=0x0 = EINVAL\nend\n");

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)));
    }

    [Test]
    public void Replay_AllocatorAtItsEdges_AnswersAsTheKernel()
    {
        FileResult result = Replay(Machine
            + """
            allocator 0000:01:00.0
            alloc 0 0 = ENOMEM
            alloc 0 16777217 = ENOMEM
            alloc 0 16777216 = ok offset=0x0
            alloc 1 1 = ENOMEM
            free 0 = ok
            alloc 1 1 = ok offset=0x0
            alloc 2 4097 = ok offset=0x1000
            end
            """);

        Assert.That((result.Error, result.Divergences), Is.EqualTo(((RecordingError?)null, 0L)), string.Join('\n', result.First));
    }

    [TestCase("nonsense", "5:1: not an operation")]
    [TestCase("pair 0000:01:00.0 0000:01:00.1 = distance=2 map=bus-address", "a question stands in the wrong place")]
    [TestCase(Config + "pair 0000:01:00.0 0000:09:00.1 = x", "6:31: no such device")]
    [TestCase(Config + "acs 0000:01:00.0 0x10000", "not an ACS control")]
    [TestCase(Config + "acs 0000:01:00.0 red", "not a number")]
    [TestCase(Config + "acs 0000:01:00.0", "a word is missing")]
    [TestCase(Config + "acs 0000:01:00.0 0x1 0x2", "6:22: a word too many")]
    [TestCase(Config + "pair 0000:01:00.0 0000:01:00.1 = x\nacs 0000:01:00.0 0x1", "a setting stands in the wrong place")]
    [TestCase("config 0 cpu=intel", "not a CPU")]
    [TestCase("config x cpu=intel-6", "not a number")]
    [TestCase("device 0000:00:00.0 parent=root host-bridge=0000:00 id=8086:2030 class=060400 type=root-port", "the device is there twice")]
    [TestCase("device 0000:00:01.0 parent=root host-bridge=x id=8086:2030 class=060400 type=root-port", "not a host bridge")]
    [TestCase("device 0000:00:01.0 parent=root host-bridge=0000:00 id=8086 class=060400 type=root-port", "not an identity")]
    [TestCase("device 0000:00:01.0 parent=root host-bridge=0000:00 id=8086:1 class=red type=root-port", "not a class code")]
    [TestCase("device 0000:00:01.0 parent=root host-bridge=0000:00 id=8086:1 class=060400 type=root-port bar9=1", "an argument does not fit")]
    [TestCase("device 0000:02:00.0 parent=0000:01:00.0 host-bridge=0000:00 id=8086:1 class=060400 type=endpoint\n" + Config + "pair 0000:01:00.0 0000:01:00.1 = x", "the devices make no machine")]
    [TestCase("allocator 0000:01:00.0\nalloc 1 1 = ok offset=0x0", "a block has no end")]
    [TestCase("allocator 0000:01:00.0\nadd size=1 offset=0 = ok", "not an operation of this block")]
    [TestCase("allocator 0000:01:00.0\nalloc 65536 1 = ok offset=0x0", "not a slot")]
    [TestCase("allocator 0000:01:00.1", "the device has no BAR")]
    [TestCase("allocator 0000:00:00.0", "the BAR cannot be a pool")]
    [TestCase("add-resource 0000:01:00.0 bar=6 len=1 start-aligned-2M=1", "a value is out of range")]
    [TestCase("add-resource 0000:01:00.0 bar=2 len=0 start-aligned-2M=1", "not a BAR that is modelled")]
    public void Replay_Malformed_IsRefusedWithItsPlace(string lines, string error)
    {
        FileResult result = Replay(Machine + lines + "\n");

        Assert.That(result.Error?.ToString(), Does.StartWith("t.txt:").And.Contain(error));
    }

    private static FileResult Replay(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return new ConformanceRunner().Run("t.txt", stream);
    }

    private static ConformanceReport ReplayWith(Func<P2pBarLayout, IP2pMemoryModel> create) =>
        new ConformanceRunner(new ConformanceOptions { CreateP2pMemory = create }).Run(KeptRecordings.Of("p2p"));

    private static TestCaseData Mutant(string name, P2pRules rules) => new TestCaseData(rules).SetArgDisplayNames(name);

    private static TestCaseData Memory(string name, Func<P2pBarLayout, IP2pMemoryModel> create) =>
        new TestCaseData(create).SetArgDisplayNames(name);
}
