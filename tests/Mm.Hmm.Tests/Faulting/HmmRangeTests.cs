using Mm.Core;
using Mm.Hmm.Faulting;

namespace Mm.Hmm.Tests.Faulting;

public sealed class HmmRangeTests
{
    [Test]
    public void Reset_ToAnotherRange_ClearsEveryWord()
    {
        using var rig = new RangeFaultRig();
        var request = new HmmRange(rig.Notifier);
        request.Reset(Range(4));
        Assert.That(request.Pfns.Length, Is.EqualTo(4));
        request.Pfns.Fill(HmmPfn.RequestWrite);
        request.Reset(Range(2));
        Assert.That(request.Pfns.ToArray(), Is.EqualTo(new[] { HmmPfn.None, HmmPfn.None }));
        request.Reset(Range(6));
        Assert.That(request.Pfns.ToArray(), Has.Length.EqualTo(6).And.All.EqualTo(HmmPfn.None));
        Assert.That(request.Range, Is.EqualTo(Range(6)));
        Assert.That(request.Notifier, Is.SameAs(rig.Notifier));
    }

    [TestCase(0x1001UL, 0x1000UL)]
    [TestCase(0x1000UL, 0x1001UL)]
    public void Reset_ToWhatIsNotWholePages_Throws(ulong start, ulong length)
    {
        using var rig = new RangeFaultRig();
        var request = new HmmRange(rig.Notifier);
        Assert.That(
            () => request.Reset(new VirtRange(new VirtAddr(start), new ByteCount(length))),
            Throws.ArgumentException.With.Message.Contains("whole pages"));
    }

    private static VirtRange Range(ulong pages) => new(new VirtAddr(0x10000), new PageCount(pages).ToBytes());
}
