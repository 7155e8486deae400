using Mm.Core;
using Mm.Hmm.Migration;
using Mm.Hmm.Tests.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Migration;

/// <summary>What a migration's steps see that whoever collects cannot: a page that changed before it was held.</summary>
public sealed class MigrationStepsTests
{
    [Test]
    public void Unmap_OfAPageThatIsPartOfALargeOneByNow_LeavesItThere([ValueSource(nameof(Profiles))] LinuxProfile profile)
    {
        using var rig = new MirrorRig(profile: profile);
        VirtRange range = rig.MapHuge();
        rig.Write(range, Words(512));
        Pfn part = rig.FrameAt(Part(range, 3).Start);
        rig.Machine.Frames.TryGet(part, out _).ThrowIfError(); // the steps' own from now on, as the lock is
        Assert.That(rig.Space.PageLocks.TryLock(part), Is.True);
        var steps = new MigrationSteps();
        steps.Open(rig.Machine.Spaces, faultPage: null, pages: 1);
        steps.Add(MigratePfn.Offer(part, isWritable: true));
        Assert.That(steps.Unmap(), Is.Zero);
        Assert.That((steps.Sources[0].HasPage, steps.Reasons[0]), Is.EqualTo((false, StayReason.PartOfLarge)));
        steps.Finish();
        steps.Close();
        rig.Machine.Validate();
        AssertSame(rig.Read(range), Words(512));
    }

    private static readonly LinuxProfile[] Profiles = [LinuxProfile.V612, LinuxProfile.V619];
}
