using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class SpaceAccessTests
{
    private IommufdRig rig = null!;
    private PinKeeper keeper = null!;
    private SpaceAccess access = null!;

    [SetUp]
    public void SetUp()
    {
        rig = new IommufdRig();
        keeper = new PinKeeper();
        access = rig.OpenAccess(keeper);
    }

    [TearDown]
    public void TearDown()
    {
        access.Dispose();
        rig.Dispose();
    }

    [Test]
    public void Pin_OverSeveralAreas_GivesTheFramesInOrder()
    {
        rig.MapAt(Page, 4 * Page, 2 * Page);
        rig.MapAt(3 * Page, Page, Page);

        Assert.That(TryPin(Page, 3 * Page, out AccessPin? pin), Is.EqualTo(Errno.Ok));
        Pfn[] expected = [.. new[] { 4, 5, 1 }.Select(page => rig.Buffer.TryFindFrame(page, out Pfn frame) ? frame : default)];
        Assert.That(pin!.Frames.ToArray(), Is.EqualTo(expected));
        keeper.Drop(pin);
        pin.Dispose();
        Assert.That(access.PinCount, Is.Zero);
    }

    [Test]
    public void Pin_ThatIsRefusedHalfWay_PinsNothing()
    {
        rig.MapAt(Page, 0, 2 * Page);
        rig.MapAt(3 * Page, 2 * Page, Page, IoAccess.Write);
        rig.MapAt(4 * Page, BufferBytes, Page);
        Assert.That(TryPin(Page, 3 * Page, out _), Is.EqualTo(Errno.EPERM));
        Assert.That(TryPin(3 * Page, 2 * Page, out _, isWrite: true), Is.EqualTo(Errno.EFAULT));
        Assert.That(TryPin(Page, 8 * Page, out _), Is.EqualTo(Errno.EPERM));
        Assert.That(TryPin(8 * Page, Page, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(TryPin(Page, 0, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryPin(ulong.MaxValue, Page, out _), Is.EqualTo(Errno.EOVERFLOW));
        rig.CheckPins(0, 3, 0);
        rig.Context.Validate();
    }

    [Test]
    public void Pin_OffAPage_IsRefused()
    {
        rig.MapAt(Page, 0, 2 * Page);

        Assert.That(TryPin(Page + 512, 512, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(TryPin(Page, 512, out AccessPin? pin), Is.EqualTo(Errno.Ok), "the end may be anywhere");
        keeper.Drop(pin!);
    }

    [Test]
    public void Open_OverMappingsOffPages_IsRefusedIfItWouldPin()
    {
        IoAddressSpace other = rig.CreateSpace();
        other.TryMapAt(new DmaAddr(512), rig.Buffer, rig.User(0), new ByteCount(512), IoAccess.Read).ThrowIfError();

        Assert.That(other.TryOpenAccess(keeper, out _), Is.EqualTo(Errno.EADDRINUSE));
        Assert.That(access.TryMoveTo(other), Is.EqualTo(Errno.EADDRINUSE));
        Assert.That(other.TryOpenAccess(owner: null, out SpaceAccess? reader), Is.EqualTo(Errno.Ok));
        Assert.That(other.Alignment.Value, Is.EqualTo(1));
        Assert.That(() => reader!.TryPin(new DmaAddr(512), new ByteCount(1), isWrite: false, out _), Throws.InvalidOperationException);
    }

    [Test]
    public void ReadAndWrite_WhereTheyMayNot_MoveWhatLiesBefore()
    {
        rig.MapAt(Page, 0, Page);
        rig.MapAt(2 * Page, Page, Page, IoAccess.Read);
        rig.MapAt(4 * Page, BufferBytes - Page, 2 * Page);
        var bytes = new byte[2 * Page];
        Array.Fill(bytes, (byte)0x77);

        Assert.That(access.TryWrite(new DmaAddr(Page), bytes), Is.EqualTo(Errno.EPERM));
        Assert.That(access.TryWrite(new DmaAddr(4 * Page), bytes), Is.EqualTo(Errno.EFAULT));
        Assert.That(access.TryRead(new DmaAddr(2 * Page), bytes), Is.EqualTo(Errno.ENOENT));
        Assert.That(access.TryRead(new DmaAddr(2 * Page), []), Is.EqualTo(Errno.EINVAL));
        Assert.That(access.TryRead(DmaAddr.MaxValue, bytes), Is.EqualTo(Errno.EOVERFLOW));
        rig.Buffer.TryRead(rig.User(0), bytes.AsSpan(0, 1)).ThrowIfError();
        rig.Buffer.TryRead(rig.User(BufferBytes - 1), bytes.AsSpan(1, 1)).ThrowIfError();
        rig.Buffer.TryRead(rig.User(Page), bytes.AsSpan(2, 1)).ThrowIfError();
        Assert.That((bytes[0], bytes[1], bytes[2]), Is.EqualTo(((byte)0x77, (byte)0x77, (byte)2)));
    }

    [Test]
    public void Access_ThatIsClosed_FindsNothing()
    {
        rig.MapAt(Page, 0, Page);
        access.Dispose();
        access.Dispose();

        Assert.That(TryPin(Page, Page, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(access.TryRead(new DmaAddr(Page), new byte[1]), Is.EqualTo(Errno.ENOENT));
        Assert.That(access.TryWrite(new DmaAddr(Page), new byte[1]), Is.EqualTo(Errno.ENOENT));
        Assert.That(access.TryMoveTo(rig.Space), Is.EqualTo(Errno.ENOENT));
    }

    [Test]
    public void Access_WhoseOwnerKeepsPins_CannotLeave()
    {
        rig.MapAt(Page, 0, Page);
        TryPin(Page, Page, out AccessPin? pin).ThrowIfError();
        keeper.Keep(pin);
        keeper.IsDeaf = true;

        Assert.That(() => access.Dispose(), Throws.InvalidOperationException.With.Message.Contains("keeps 1 pins"));
        IoAddressSpace other = rig.CreateSpace();
        Assert.That(() => access.TryMoveTo(other), Throws.InvalidOperationException);
        Assert.That((other.TryDestroy(), rig.Space.TryDestroy()), Is.EqualTo((Errno.Ok, Errno.EBUSY)), "it stays where it is");
        pin!.Dispose();
    }

    [Test]
    public void Access_AlreadyThere_StaysWithItsPins()
    {
        rig.MapAt(Page, 0, Page);
        TryPin(Page, Page, out AccessPin? pin).ThrowIfError();
        keeper.Keep(pin);

        Assert.That(access.TryMoveTo(rig.Space), Is.EqualTo(Errno.Ok));
        Assert.That((keeper.Count, rig.Space.TryDestroy()), Is.EqualTo((1, Errno.EBUSY)));
    }

    private Errno TryPin(ulong address, ulong length, out AccessPin? pin, bool isWrite = false) =>
        access.TryPin(new DmaAddr(address), new ByteCount(length), isWrite, out pin);
}
