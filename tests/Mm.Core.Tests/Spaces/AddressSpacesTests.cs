using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>What spaces share, and what a recount finds.</summary>
public sealed class AddressSpacesTests
{
    private SpaceRig rig = null!;

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void TryCreate_WithoutMemoryForThePageOfZeros_IsEnomem()
    {
        using Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(machine.Spaces.TryCreate(out AddressSpace? space), Is.EqualTo(Errno.ENOMEM));
        Assert.That((space, machine.Spaces.Count), Is.EqualTo(((AddressSpace?)null, 0)));
        Assert.That(machine.Spaces.TryCreate(out space), Is.EqualTo(Errno.Ok));
        Assert.That(machine.Spaces.Count, Is.EqualTo(1));
        space!.Dispose();
        Assert.That(machine.Spaces.Count, Is.Zero);
        machine.Validate();
    }

    [Test]
    public void KindOf_APageThatLeftItsFile_IsSharedStill()
    {
        MemoryFile file = rig.CreateFile(1, fill: 7);
        file.TryGetPage(PageCount.Zero, out PageRef held).ThrowIfError();
        using (held)
        {
            Assert.That(rig.Spaces.KindOf(held.Page), Is.EqualTo(RssKind.Shared));
            file.TryResize(ByteCount.Zero).ThrowIfError();
            Assert.That(rig.Spaces.KindOf(held.Page), Is.EqualTo(RssKind.Shared), "an entry that stands still was counted so");
        }
    }

    [Test]
    public void Dispose_ByAThreadThatNeverAllocated_HoldsNoLock()
    {
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        var user = new Thread(() => machine.Spaces.TryCreate(out _).ThrowIfError());
        user.Start();
        user.Join();
        Exception? thrown = null;
        var other = new Thread(() => thrown = Catch(machine.Dispose)); // its first put enters the allocator's leaf
        other.Start();
        other.Join();
        Assert.That(thrown, Is.Null);

        static Exception? Catch(Action action)
        {
            try
            {
                action();
                return null;
            }
            catch (MmBugException exception)
            {
                return exception;
            }
        }
    }

    [Test]
    public void TryCreate_Twice_SharesThePageOfZerosAndNothingElse()
    {
        AddressSpace other = rig.Create();
        rig.Map(0, 1);
        Assert.That(other.TryMap(new AreaRequest(Pages(1), Own) { At = At(0), Placement = AreaPlacement.Fixed }, out _), Is.EqualTo(Errno.Ok));
        Assert.That((rig.Read(0), rig.Read(0, other)), Is.EqualTo(((byte)0, (byte)0)));
        Assert.That(rig.Entry(0, other).Frame, Is.EqualTo(rig.Entry(0).Frame));
        rig.Write(0, 1);
        Assert.That((rig.Read(0, other), other.Family == rig.Space.Family), Is.EqualTo(((byte)0, false)));
        Assert.That(rig.Fork().Family, Is.SameAs(rig.Space.Family));
    }

    [Test]
    public void Dispose_WithLivingSpaces_EndsThem()
    {
        Machine machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        Assert.That(machine.Spaces.TryCreate(out AddressSpace? space), Is.EqualTo(Errno.Ok));
        machine.Dispose();
        Assert.That((space!.IsEnded, machine.NativeBytes), Is.EqualTo((true, ByteCount.Zero)));
    }

    [Test]
    public void CreateFile_IsFoundByItsPagesAsLongAsSomebodyHoldsIt()
    {
        MemoryFile file = rig.Spaces.CreateFile();
        Assert.That(file.TryWrite(default, [5], out _), Is.EqualTo(Errno.Ok));
        Assert.That((file.Seals, file.TryAddSeals(FileSeals.Grow)), Is.EqualTo((FileSeals.Seal, Errno.EPERM)));
        Assert.That(rig.Spaces.FindFile(file.MappingWord), Is.SameAs(file));
        rig.Map(0, 1, new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file });
        file.Dispose();
        Assert.That((rig.Read(0), rig.Spaces.FindFile(file.MappingWord)), Is.EqualTo(((byte)5, file)), "the mapping holds it");
        Assert.That(rig.Spaces.KindOf(rig.Entry(0).Frame), Is.EqualTo(RssKind.Shared));
        Assert.That(rig.Space.TryUnmap(At(0), Pages(1)), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Spaces.FindFile(file.MappingWord), Is.Null);
    }

    [Test]
    public void FindFamily_OfAPage_EndsWithItsLastMember()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        AddressSpace child = rig.Fork();
        var mapping = new AnonMapping(rig.Frames.BelongsTo(rig.Entry(0).Frame).Mapping);
        Assert.That(rig.Spaces.FindFamily(mapping), Is.SameAs(rig.Space.Family));
        rig.Space.Dispose();
        Assert.That(rig.Spaces.FindFamily(mapping), Is.SameAs(child.Family));
        child.Dispose();
        Assert.That(rig.Spaces.FindFamily(mapping), Is.Null);
    }

    [Test]
    public void LargeZeroPage_IsMadeOnce()
    {
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.Spaces.TryGetLargeZeroPage(out _), Is.False);
        Assert.That(rig.Spaces.TryGetLargeZeroPage(out Pfn page), Is.True);
        Assert.That((rig.Spaces.TryGetLargeZeroPage(out Pfn again), again), Is.EqualTo((true, page)));
        Assert.That(page.Address.Value % Large, Is.Zero);
    }

    [Test]
    public void Validate_OfAnEntryWithoutArea_NamesInvariant1()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        Pte stray = Pte.ZeroPage(rig.Spaces.ZeroPage);
        Assert.That(rig.Space.Tables.TryExchange(At(1), default, stray, out _), Is.EqualTo(Errno.Ok));
        AssertBroken("invariant 1");
        Assert.That(rig.Space.Tables.TryExchange(At(1), stray, default, out _), Is.EqualTo(Errno.Ok));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Validate_OfAMappingThatIsNotCounted_NamesInvariant2(bool isLarge)
    {
        rig.Map(0, 512, Own with { WantsHugePages = isLarge });
        rig.Write(0, 1);
        Pfn page = rig.Entry(0).Frame;
        rig.Frames.AddMapping(page);
        AssertBroken("invariant 2");
        rig.Frames.RemoveMapping(page);
        if (isLarge)
        {
            rig.Frames.AddEntireMapping(page);
            AssertBroken("invariant 2");
            rig.Frames.RemoveEntireMapping(page);
        }
    }

    [Test]
    public void Validate_OfAMappingCountedForAPartOfAFolioThatNobodyMaps_NamesInvariant2()
    {
        rig.Map(0, 512, Own with { WantsHugePages = true });
        rig.Write(0, 1);
        Pfn head = rig.Entry(0).Frame;
        Assert.That(rig.Space.TryUnmap(At(0), PageSize.Small.Bytes), Is.EqualTo(Errno.Ok));
        rig.Frames.AddMapping(head);
        AssertBroken("invariant 2");
        rig.Frames.RemoveMapping(head);
    }

    [Test]
    public void Validate_OfAnEntryWithoutReference_NamesInvariant2()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        _ = rig.Fork();
        Pfn page = rig.Entry(0).Frame;
        rig.Frames.PutFrame(page);
        AssertBroken("invariant 2");
        rig.Frames.GetFrame(page);
    }

    [Test]
    public void Validate_OfAResidentPageThatIsNotThere_NamesInvariant3([Values] RssKind kind)
    {
        rig.Space.CountRss(kind, 1);
        AssertBroken("invariant 3");
        rig.Space.CountRss(kind, -1);
    }

    [Test]
    public void Validate_OfAnExclusivePageThatIsShared_NamesInvariant4()
    {
        rig.Map(0, 1);
        rig.Write(0, 1);
        _ = rig.Fork();
        Pte entry = rig.Entry(0);
        Assert.That(rig.Space.Tables.TryExchange(At(0), entry, entry.MakeAnonExclusive(), out _), Is.EqualTo(Errno.Ok));
        AssertBroken("invariant 4");
        Assert.That(rig.Space.Tables.TryExchange(At(0), entry.MakeAnonExclusive(), entry, out _), Is.EqualTo(Errno.Ok));
    }

    private void AssertBroken(string invariant) =>
        Assert.That(rig.Validate, Throws.InstanceOf<MmBugException>().With.Message.Contains(invariant));
}
