using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>How long a space holds the files that it maps.</summary>
internal sealed class FileHoldsTests
{
    private SpaceRig rig = null!;
    private MemoryFile file = null!;

    private AreaTraits Shared => new(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };

    [SetUp]
    public void Build()
    {
        rig = new SpaceRig();
        file = rig.CreateFile(4, allowsSealing: true);
    }

    [TearDown]
    public void LeavesNothing()
    {
        rig.Dispose();
        file.Dispose();
    }

    [Test]
    public void Map_OfOneFileTwice_HoldsItOnceForEachRight()
    {
        rig.Map(0, 1, Shared);
        rig.Map(2, 1, Shared);
        Assert.That(Holds, Is.EqualTo(1));
        rig.Map(4, 1, Shared with { Kind = AreaKind.FilePrivate });
        Assert.That(Holds, Is.EqualTo(2), "one that may write the file, one that may not");
    }

    [Test]
    public void Unmap_OfTheLastArea_LetsGo()
    {
        rig.Map(0, 3, Shared);
        Assert.That(rig.Space.TryUnmap(At(1), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That(Holds, Is.EqualTo(1));
        Assert.That(rig.Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That((Holds, file.TryAddSeals(FileSeals.Write)), Is.EqualTo((1, Errno.EBUSY)));
        Assert.That(rig.Space.TryUnmap(At(2), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That((Holds, file.TryAddSeals(FileSeals.Write)), Is.EqualTo((0, Errno.Ok)));
    }

    [Test]
    public void Map_ThatIsRefused_HoldsNothing()
    {
        rig.Map(0, 1);
        var request = new AreaRequest(Pages(1), Shared) { At = At(0), Placement = AreaPlacement.FixedNoReplace };
        Assert.That(rig.Space.TryMap(request, out _), Is.EqualTo(Errno.EEXIST));
        Assert.That(Holds, Is.Zero);
    }

    [Test]
    public void Map_OfASealedFile_IsReadOnlyForGood()
    {
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok));
        rig.Map(0, 1, Shared with { Access = AreaAccess.Read });
        Assert.That(rig.Space.TryProtect(At(0), Pages(1), AreaAccess.ReadWrite), Is.EqualTo(Errno.EACCES));
        Assert.That(Holds, Is.EqualTo(1));
        rig.Fork().Dispose();
        Assert.That(Holds, Is.EqualTo(1));
    }

    [Test]
    public void Map_OverAMapping_LetsTheOldFileGo()
    {
        rig.Map(0, 1, Shared);
        rig.Map(0, 1);
        Assert.That(Holds, Is.Zero);
    }

    [Test]
    public void Move_OfAMapping_KeepsTheHold()
    {
        rig.Map(0, 1, Shared);
        Assert.That(rig.Space.TryMove(new AreaMove(At(0), Pages(1), Pages(1)) { MayMove = true, To = At(8) }, out _), Is.EqualTo(Errno.Ok));
        Assert.That(Holds, Is.EqualTo(1));
    }

    [Test]
    public void Fork_AndEnd_HoldAndLetGo()
    {
        rig.Map(0, 1, Shared);
        AddressSpace child = rig.Fork();
        Assert.That(Holds, Is.EqualTo(2));
        child.Dispose();
        Assert.That(Holds, Is.EqualTo(1));
    }

    private int Holds => file.CollectMappings().Length;
}
