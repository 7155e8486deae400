using Mm.Core.Frames;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>
/// The tables of the kernel's gup_longterm.c and cow.c. What they hold: what a pin sees and what the process sees never part,
/// and nobody sees what another process writes.
/// </summary>
internal sealed class UserPagesSelftests
{
    private const ulong Tried = 3; // the page that is looked at; of a leaf, not its head

    private SpaceRig rig = null!;

    // How the memory lies in pages: cow.c's base page, THP, PTE-mapped THP and single page of a THP.
    internal enum Shape
    {
        Small,
        Leaf,
        SplitLeaf,
        PartOfLeaf,
    }

    internal enum Sharing
    {
        Shared,
        PreviouslyShared,
        Exclusive,
    }

    internal enum Backing
    {
        ZeroPage,
        LargeZeroPage,
        File,
    }

    [SetUp]
    public void Build() => rig = new SpaceRig();

    [TearDown]
    public void LeavesNothing() => rig.Dispose();

    [Test]
    public void GupLongterm_OfAFileMapping_IsGivenAndSeesWhatTheProcessSees(
        [Values] bool isWrite, [Values] bool isFast, [Values] bool isShared, [Values] bool isTouched)
    {
        MemoryFile file = rig.CreateFile(4, fill: 7);
        AreaKind kind = isShared ? AreaKind.FileShared : AreaKind.FilePrivate;
        rig.Map(0, 4, new AreaTraits(kind, AreaAccess.ReadWrite) { Backing = file });
        if (isTouched)
        {
            Assert.That(rig.Read(Tried), Is.EqualTo(7));
        }

        PagePin pin = rig.Pin(Tried, PinFlags.LongTerm | Flags(isWrite, isFast));
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(7));
        SeeTheSame(pin);
        Assert.That(InFile(file, Tried), Is.EqualTo(isShared ? (byte)2 : (byte)7), "a private mapping keeps its file");
        pin.Dispose();
    }

    [Test]
    public void Cow_AfterFork_HidesWritesFromTheOther([Values] Shape shape, [Values] bool isChild, [Values] bool isProtectedBetween)
    {
        Lay(shape);
        AddressSpace child = rig.Fork();
        (AddressSpace writer, AddressSpace other) = isChild ? (child, rig.Space) : (rig.Space, child);
        ProtectAndBack(writer, isProtectedBetween);
        rig.Write(Tried, 9, writer);
        rig.Validate();
        Assert.That((rig.Read(Tried, writer), rig.Read(Tried, other)), Is.EqualTo(((byte)9, (byte)1)));
    }

    [Test]
    public void Vmsplice_OfAChildThatUnmaps_NeverSeesTheParent([Values] Shape shape, [Values] bool isProtectedBetween)
    {
        Lay(shape);
        AddressSpace child = rig.Fork();
        PageRef spliced = Splice(child);
        Assert.That(child.TryUnmap(At(0), Pages(512)), Is.EqualTo(Errno.Ok));
        ProtectAndBack(rig.Space, isProtectedBetween);
        rig.Write(Tried, 9);
        Assert.That(rig.Peek(spliced.Page), Is.EqualTo(1));
        spliced.Dispose();
    }

    [Test]
    public void Vmsplice_OfAParentThatUnmaps_NeverSeesTheChild([Values] Shape shape, [Values] bool isBeforeFork)
    {
        Lay(shape);
        PageRef spliced = isBeforeFork ? Splice(rig.Space) : default;
        AddressSpace child = rig.Fork();
        spliced = isBeforeFork ? spliced : Splice(rig.Space);
        Assert.That(rig.Space.TryUnmap(At(0), Pages(512)), Is.EqualTo(Errno.Ok));
        rig.Write(Tried, 9, child);
        Assert.That((rig.Peek(spliced.Page), rig.Read(Tried, child)), Is.EqualTo(((byte)1, (byte)9)));
        spliced.Dispose();
    }

    [Test]
    public void IoUring_BufferMappedReadOnlyAndBackOrForked_StaysTheProcesss(
        [Values] Shape shape, [Values] bool isFast, [Values] bool isForked)
    {
        Lay(shape);
        PagePin pin = rig.Pin(Tried, PinFlags.LongTerm | Flags(isWrite: true, isFast));
        AddressSpace? child = isForked ? rig.Fork() : null;
        ProtectAndBack(rig.Space, isForked == false);
        SeeTheSame(pin);
        if (child is not null)
        {
            Assert.That(rig.Read(Tried, child), Is.EqualTo(1));
            rig.Write(Tried, 5, child);
            Assert.That((rig.Peek(pin.Page), rig.Read(Tried)), Is.EqualTo(((byte)2, (byte)2)));
        }

        rig.Validate();
        pin.Dispose();
    }

    [Test]
    public void ReadOnlyPin_OfAPage_SeesLaterWrites([Values] Shape shape, [Values] bool isFast, [Values] Sharing sharing)
    {
        Lay(shape);
        AddressSpace? child = sharing == Sharing.Exclusive ? null : rig.Fork();
        if (sharing == Sharing.PreviouslyShared)
        {
            child!.Dispose();
        }

        PagePin pin = rig.Pin(Tried, PinFlags.LongTerm | Flags(isWrite: false, isFast));
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(1));
        SeeTheSame(pin);
        if (sharing == Sharing.Shared)
        {
            Assert.That(rig.Read(Tried, child), Is.EqualTo(1));
        }

        rig.Validate();
        pin.Dispose();
    }

    [Test]
    public void ReadOnlyPin_OfAPageThatIsForkedAfterwards_StaysTheParents([Values] Shape shape, [Values] bool isFast)
    {
        Lay(shape);
        PagePin pin = rig.Pin(Tried, Flags(isWrite: false, isFast));
        AddressSpace child = rig.Fork();
        SeeTheSame(pin);
        Assert.That(rig.Read(Tried, child), Is.EqualTo(1));
        pin.Dispose();
    }

    [Test]
    public void ReadOnlyLongTermPin_OfPrivateMemoryWithoutOwnPage_SeesLaterWrites([Values] Backing backing, [Values] bool isFast)
    {
        MemoryFile file = rig.CreateFile(512, fill: 7);
        rig.Map(0, 512, backing == Backing.File
            ? new AreaTraits(AreaKind.FilePrivate, AreaAccess.ReadWrite) { Backing = file }
            : Own with { WantsHugePages = backing == Backing.LargeZeroPage });
        byte before = backing == Backing.File ? (byte)7 : (byte)0;
        Assert.That(rig.Read(Tried), Is.EqualTo(before));
        PagePin pin = rig.Pin(Tried, PinFlags.LongTerm | Flags(isWrite: false, isFast));
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(before));
        SeeTheSame(pin);
        Assert.That(InFile(file, Tried), Is.EqualTo(7));
        pin.Dispose();
    }

    private static PinFlags Flags(bool isWrite, bool isFast) =>
        (isWrite ? PinFlags.Write : PinFlags.None) | (isFast ? PinFlags.Fast : PinFlags.None);

    private static byte InFile(MemoryFile file, ulong page)
    {
        var into = new byte[1];
        Assert.That(file.Read(Pages(page), into), Is.EqualTo(1));
        return into[0];
    }

    // Memory of 512 pages whose tried page reads 1.
    private void Lay(Shape shape)
    {
        rig.Map(0, 512, Own with { WantsHugePages = shape != Shape.Small });
        rig.Write(Tried, 1);
        Assert.That(rig.SizeAt(Tried), Is.EqualTo(shape == Shape.Small ? PageSize.Small : PageSize.Large));
        if (shape is Shape.SplitLeaf or Shape.PartOfLeaf)
        {
            rig.Space.SplitLeaf(At(0));
        }

        if (shape == Shape.PartOfLeaf)
        {
            Assert.That(rig.Space.TryDropPages(At(0), Pages(Tried)), Is.EqualTo(Errno.Ok));
            Assert.That(rig.Space.TryDropPages(At(Tried + 1), Pages(511 - Tried)), Is.EqualTo(Errno.Ok));
        }

        rig.Validate();
    }

    private void SeeTheSame(PagePin pin)
    {
        rig.Write(Tried, 3);
        Assert.That(rig.Peek(pin.Page), Is.EqualTo(3), "the process writes");
        rig.Poke(pin.Page, 2);
        Assert.That(rig.Read(Tried), Is.EqualTo(2), "the device writes");
    }

    private PageRef Splice(AddressSpace space)
    {
        var pages = new PageRef[1];
        using (space.Lock.EnterRead())
        {
            Assert.That(space.TryGetPages(At(Tried), PinFlags.None, pages, out _), Is.EqualTo(Errno.Ok));
        }

        return pages[0];
    }

    private static void ProtectAndBack(AddressSpace space, bool really)
    {
        if (really)
        {
            Assert.That(space.TryProtect(At(0), Pages(512), AreaAccess.Read), Is.EqualTo(Errno.Ok));
            Assert.That(space.TryProtect(At(0), Pages(512), AreaAccess.ReadWrite), Is.EqualTo(Errno.Ok));
        }
    }
}
