using Mm.Core.Pagemaps;

namespace Mm.Core.Tests.Pagemaps;

internal sealed class PagemapLifeTests
{
    private static readonly ulong[] Users = [0, 1, 2, PagemapLife.MaxUsers];
    private static readonly ulong[] Pages = [0, 1, 2, PagemapLife.MaxPages];

    [Test]
    public void Born_IsLiveAndHeldByItsOwner() =>
        Assert.That(
            (PagemapLife.Born.State, PagemapLife.Born.Users, PagemapLife.Born.Pages),
            Is.EqualTo((PagemapState.Live, 1UL, 0UL)));

    [Test]
    public void Use_OnEveryWord_NeedsLifeAndRoom(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        bool legal = state == PagemapState.Live && users < PagemapLife.MaxUsers;
        Assert.That(word.TryUse(out PagemapLife next), Is.EqualTo(legal));
        Assert.That(next, Is.EqualTo(legal ? Word(state, users + 1, pages) : word));
    }

    [Test]
    public void Unuse_OnEveryWord_NeedsAUserWhoIsNotTheOwner(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        bool legal = users > (state == PagemapState.Live ? 1UL : 0UL);
        Assert.That(word.TryUnuse(out PagemapLife next), Is.EqualTo(legal));
        Assert.That(next, Is.EqualTo(legal ? Settled(state, users - 1, pages) : word));
    }

    [Test]
    public void Hold_OnEveryWord_NeedsLifeAndRoom(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        bool legal = state == PagemapState.Live && pages < PagemapLife.MaxPages;
        Assert.That(word.TryHold(1, out PagemapLife next), Is.EqualTo(legal));
        Assert.That(next, Is.EqualTo(legal ? Word(state, users, pages + 1) : word));
    }

    [Test]
    public void HoldAgain_OnEveryWord_NeedsAHoldAndRoom(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        bool legal = pages is > 0 and < PagemapLife.MaxPages;
        Assert.That(word.TryHoldAgain(out PagemapLife next), Is.EqualTo(legal));
        Assert.That(next, Is.EqualTo(legal ? Word(state, users, pages + 1) : word));
    }

    [Test]
    public void Unhold_OnEveryWord_NeedsSoManyPages(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        Assert.That(word.TryUnhold(2, out PagemapLife next), Is.EqualTo(pages >= 2));
        Assert.That(next, Is.EqualTo(pages >= 2 ? Settled(state, users, pages - 2) : word));
    }

    [Test]
    public void Kill_OnEveryWord_HappensOnceAndKeepsEveryHold(
        [Values] PagemapState state, [ValueSource(nameof(Users))] ulong users, [ValueSource(nameof(Pages))] ulong pages)
    {
        PagemapLife word = Word(state, users, pages);
        Assert.That(word.TryKill(out PagemapLife next), Is.EqualTo(state == PagemapState.Live));
        Assert.That(next, Is.EqualTo(state == PagemapState.Live ? Word(PagemapState.Dying, users, pages) : word));
    }

    [Test]
    public void Hold_OfMoreThanFits_IsRefused()
    {
        Assert.That(PagemapLife.Born.TryHold(PagemapLife.MaxPages, out PagemapLife full), Is.True);
        Assert.That(full.TryHold(1, out _), Is.False);
        Assert.That(full.Users, Is.EqualTo(1), "the count of pages does not run into that of users");
    }

    private static PagemapLife Settled(PagemapState state, ulong users, ulong pages) =>
        state == PagemapState.Dying && users == 0 && pages == 0
            ? Word(PagemapState.Dead, 0, 0)
            : Word(state, users, pages);

    private static PagemapLife Word(PagemapState state, ulong users, ulong pages) =>
        new(((ulong)state << 62) | (users << 40) | pages);
}
