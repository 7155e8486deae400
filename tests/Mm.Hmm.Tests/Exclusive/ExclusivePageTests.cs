using Mm.Core;
using Mm.Hmm.Exclusive;
using Mm.Hmm.Tests.Mirrors;

namespace Mm.Hmm.Tests.Exclusive;

public sealed class ExclusivePageTests
{
    [Test]
    public void Default_IsNoPage()
    {
        ExclusivePage none = default;
        Assert.That(none.IsEmpty, Is.True);
        Assert.That(() => none.Page, Throws.TypeOf<ObjectDisposedException>());
        none.Dispose();
        Assert.That(none, Is.EqualTo(default(ExclusivePage)));
    }

    [Test]
    public void Equality_IsThatOfTheLease()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(2);
        var pages = new ExclusivePage[2];
        ExclusiveAccess.TryMake(rig.Space, range.Start, pages, out _).ThrowIfError();
        ExclusivePage same = pages[0];
        Assert.That(same == pages[0], Is.True);
        Assert.That(same.Equals((object)pages[0]), Is.True);
        Assert.That(same.GetHashCode(), Is.EqualTo(pages[0].GetHashCode()));
        Assert.That(same != pages[1], Is.True);
        Assert.That(same.Equals("a page"), Is.False);
        Assert.That(same == default, Is.False);
        pages[0].Dispose();
        pages[1].Dispose();
    }

    [Test]
    public void Dispose_UnlocksThePageAndLetsItGo()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        Pfn frame = rig.FrameAt(range.Start);
        uint before = rig.Machine.Frames.ReferencesOf(frame);
        var pages = new ExclusivePage[1];
        ExclusiveAccess.TryMake(rig.Space, range.Start, pages, out _).ThrowIfError();
        Assert.That(pages[0].Page, Is.EqualTo(frame));
        Assert.That(rig.Space.PageLocks.IsLocked(frame), Is.True);
        pages[0].Dispose();
        Assert.That(rig.Space.PageLocks.IsLocked(frame), Is.False);
        Assert.That(rig.Machine.Frames.ReferencesOf(frame), Is.EqualTo(before));
    }
}
