using Mm.Core;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using Mm.Hmm.Tests.Mirrors;

namespace Mm.Hmm.Tests.Migration;

public sealed class MigrationPoolTests
{
    [Test]
    public void TrySetUp_AfterOneThatIsOver_UsesItAgain()
    {
        using var rig = new MigrationRig();
        var pool = new MigrationPool();
        VirtRange range = rig.Base.MapFilled(2);
        var request = new MigrationRequest(range, MigrateSelect.System, rig.Device);
        pool.TrySetUp(rig.Space, request, out AreaMigration? first).ThrowIfError();
        Assert.That(first!.Count, Is.EqualTo(2));
        first.Dispose();
        pool.TrySetUp(rig.Space, request with { Range = new VirtRange(range.Start, PageSize.Small.Bytes) }, out AreaMigration? second).ThrowIfError();
        using (second)
        {
            Assert.That(second, Is.SameAs(first));
            Assert.That((second!.Count, second.Sources[0].Migrates), Is.EqualTo((1, true)));
        }

        Assert.That(rig.Space.Lock.IsHeld, Is.False);
    }

    [Test]
    public void TrySetUp_Refused_GivesNone_AndHoldsNothing()
    {
        using var rig = new MigrationRig();
        var pool = new MigrationPool();
        Assert.That(pool.TrySetUp(rig.Space, default, out AreaMigration? migration), Is.EqualTo(Errno.EINVAL));
        Assert.That(migration, Is.Null);
        Assert.That(rig.Space.Lock.IsHeld, Is.False);
        Assert.That(() => pool.TrySetUp(null!, default, out _), Throws.ArgumentNullException);
    }

    [Test]
    public void SetUp_AfterOneThatIsOver_UsesItAgain()
    {
        using var rig = new MigrationRig();
        var pool = new MigrationPool();
        VirtRange range = rig.Base.MapFilled(2);
        rig.Base.ToDevice(range);
        Pfn[] frames = [rig.Base.FrameAt(range.Start)];
        FrameMigration first = pool.SetUp(rig.Machine.Spaces, frames);
        first.Move();
        first.Dispose();
        using (FrameMigration second = pool.SetUp(rig.Machine.Spaces, frames))
        {
            Assert.That(second, Is.SameAs(first));
            Assert.That((second.Count, second.Sources[0].Migrates), Is.EqualTo((1, true)));
            second.Move();
        }

        Assert.That(() => pool.SetUp(null!, []), Throws.ArgumentNullException);
    }

    [Test]
    public void Eviction_OfSmallPagesOrOfOne2MiB_AllocatesNothing([Values] bool isLarge)
    {
        using var rig = new MirrorRig(profile: LinuxProfile.V619);
        VirtRange range = isLarge ? rig.MapHuge() : rig.Map(64);
        rig.Write(range, MirrorRig.Words(MirrorRig.PagesOf(range)));
        ulong moved = 0;
        long bytes = Allocations.BytesOf(() =>
        {
            rig.Mirror.TryMigrateToDevice(range, out _).ThrowIfError();
            moved += rig.Device.Evict().Value;
        });
        Assert.That((bytes, moved), Is.EqualTo((0L, (ulong)MirrorRig.PagesOf(range) * Allocations.Calls)));
    }

    [Test]
    public void Migration_ThereAndBack_AllocatesNothing()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(64);
        rig.Device.TryOpen(rig.Space, out DeviceMirror? mirror).ThrowIfError();
        using (mirror)
        {
            long bytes = Allocations.BytesOf(() =>
            {
                mirror!.TryMigrateToDevice(range, out _).ThrowIfError();
                mirror.TryMigrateToSystem(range, out _).ThrowIfError();
            });
            Assert.That(bytes, Is.Zero);
        }
    }

    [Test]
    public void Fault_OnADevicePage_AllocatesNothing()
    {
        using var rig = new MigrationRig();
        VirtRange range = rig.Base.MapFilled(4);
        byte[] word = new byte[8];
        rig.Device.TryOpen(rig.Space, out DeviceMirror? mirror).ThrowIfError();
        using (mirror)
        {
            long bytes = Allocations.BytesOf(() =>
            {
                mirror!.TryMigrateToDevice(range, out _).ThrowIfError();
                for (ulong page = 0; page < 4; page++)
                {
                    _ = rig.Space.Write(range.Start.AddChecked(new PageCount(page).ToBytes()), word);
                }
            });
            Assert.That(bytes, Is.Zero);
        }
    }
}
