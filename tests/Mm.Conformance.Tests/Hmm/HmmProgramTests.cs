using Mm.Conformance.Hmm;
using Mm.Core;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;

namespace Mm.Conformance.Tests.Hmm;

internal sealed class HmmProgramTests
{
    [Test]
    public void KeptPrograms_Unchanged_HaveNoDivergence() => Assert.That(CountDivergences(static _ => { }), Is.Zero);

    // What a device does beyond its page costs faults that the recordings count.
    [Test]
    public void KeptPrograms_InvalidationsThatEndWhereTheyShould_Diverge() => Assert.That(
        CountDivergences(static program =>
        {
            foreach (MirrorDevice device in program.Devices)
            {
                device.DropsPageBehind = false;
            }
        }),
        Is.Positive);

    private static IEnumerable<TestCaseData> Points()
    {
        yield return new TestCaseData(CopyFaults.Page).SetArgDisplayNames("copies");
        yield return new TestCaseData(FaultPoint.DevicePage).SetArgDisplayNames("device pages");
    }

    [TestCaseSource(nameof(Points))]
    public void KeptPrograms_WhereThingsFail_Diverge(FaultPoint point) =>
        Assert.That(CountDivergences(program => program.Machine.Faults.FailNth(point, 1, 1_000)), Is.Positive);

    [Test]
    public void KeptPrograms_OnDevicesWithoutMemory_Diverge() => Assert.That(
        CountDivergences(static program => program.Machine.Faults.FailNth(FaultPoint.DevicePage, 3, ulong.MaxValue)), Is.Positive);

    private static int CountDivergences(Action<HmmProgram> change) =>
        KeptPrograms.All.Sum(program => KeptPrograms.CountDivergences(program, change));
}
