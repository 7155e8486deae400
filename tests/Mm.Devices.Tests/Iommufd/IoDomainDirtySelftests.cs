using System.Collections;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// The tests of fixture iommufd_dirty_tracking (tools/testing/selftests/iommu/iommufd.c, v6.12), under their names and for
/// its sizes of buffers, those of 64 and 128 MiB over 4 and 8 MiB here. Devices write; the kernel's tests set the bits.
/// </summary>
[TestFixture(8, false)]
[TestFixture(16, false)]
[TestFixture(64, false)]
[TestFixture(128, false)]
[TestFixture(320, false)]
[TestFixture(4096, false)]
[TestFixture(4096, true)]
[TestFixture(8192, false)]
[TestFixture(8192, true)]
internal sealed class IoDomainDirtySelftests(int sizeKiB, bool isHuge)
{
    private static readonly IoDomainOptions Tracking = new() { CanTrackDirty = true };

    private IommufdRig rig = null!;
    private UserBuffer mapped = null!;
    private IoDomain domain = null!;

    private ulong Size => (ulong)sizeKiB * 1024;

    private ulong TrackedPage => isHuge ? 1 << 20 : IoPage;

    [SetUp]
    public void SetUp()
    {
        rig = new IommufdRig();
        mapped = isHuge
            ? rig.CreateBuffer(0x40_0000_0000, Size / Page, order: 9)
            : rig.CreateBuffer(0x40_0000_0000, Size / Page);
        IoDomainOptions options = isHuge ? Tracking with { LargePageBytes = ByteCount.FromMiB(1) } : Tracking;
        rig.Space.TryMapAt(
            new DmaAddr(ApertureStart), mapped, mapped.Range.Start, new ByteCount(Size), IoAccess.ReadWrite).ThrowIfError();
        rig.Space.TryAddDomain(options, out IoDomain? made).ThrowIfError();
        domain = made!;
    }

    [TearDown]
    public void TearDown()
    {
        rig.Context.Dispose();
        mapped.Dispose();
        rig.Dispose();
    }

    [Test]
    public void enforce_dirty()
    {
        rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? plain).ThrowIfError();
        Assert.That(rig.Space.TrySetDirtyTracking(plain!, isOn: true), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(TryRead(plain!, new byte[Size / IoPage / 8 + 1], isCleared: true), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    [Test]
    public void set_dirty_tracking()
    {
        Assert.That(rig.Space.TrySetDirtyTracking(domain, isOn: true), Is.EqualTo(Errno.Ok));
        Assert.That(domain.IsTrackingDirty, Is.True);
        Assert.That(rig.Space.TrySetDirtyTracking(domain, isOn: false), Is.EqualTo(Errno.Ok));
        Assert.That(domain.IsTrackingDirty, Is.False);
    }

    [Test]
    public void device_dirty_capability() => Assert.That(domain.Options.CanTrackDirty, Is.True);

    [Test]
    public void get_dirty_bitmap()
    {
        rig.Space.TrySetDirtyTracking(domain, isOn: true).ThrowIfError();
        BitArray written = WriteSome();
        var bitmap = new byte[(Size / IoPage / 8) + 1];
        TryRead(domain, bitmap, isCleared: true).ThrowIfError();
        CheckBitmap(bitmap, written);
        Array.Clear(bitmap);
        TryRead(domain, bitmap, isCleared: true).ThrowIfError();
        Assert.That(bitmap, Is.All.Zero, "cleared by the first read");
    }

    [Test]
    public void get_dirty_bitmap_no_clear()
    {
        rig.Space.TrySetDirtyTracking(domain, isOn: true).ThrowIfError();
        BitArray written = WriteSome();
        var bitmap = new byte[(Size / IoPage / 8) + 1];
        for (int i = 0; i < 2; i++)
        {
            Array.Clear(bitmap);
            TryRead(domain, bitmap, isCleared: false).ThrowIfError();
            CheckBitmap(bitmap, written);
        }

        rig.Space.TrySetDirtyTracking(domain, isOn: true).ThrowIfError();
        Array.Clear(bitmap);
        TryRead(domain, bitmap, isCleared: false).ThrowIfError();
        Assert.That(bitmap, Is.All.Zero, "beginning to track begins with clean pages");
    }

    // Every page that a device wrote to, told by the pages that the domain tracks by.
    private BitArray WriteSome()
    {
        MachineRandom random = rig.Machine.CreateRandom("dirty");
        var written = new BitArray((int)(Size / IoPage));
        int perPage = (int)(TrackedPage / IoPage);
        for (int i = 0; i < written.Length; i += perPage)
        {
            if (random.OneIn(2))
            {
                ulong at = ApertureStart + ((ulong)i * IoPage) + random.NextBelow(TrackedPage);
                domain.TryWrite(new DmaAddr(at), [0xff]).ThrowIfError();
                for (int j = i; j < i + perPage; j++)
                {
                    written[j] = true;
                }
            }
        }

        return written;
    }

    private Errno TryRead(IoDomain from, byte[] bitmap, bool isCleared) => rig.Space.TryReadDirty(
        from, new DmaAddr(ApertureStart), new ByteCount(Size), new ByteCount(IoPage), bitmap, isCleared);

    private static void CheckBitmap(byte[] bitmap, BitArray written)
    {
        var found = new BitArray(bitmap) { Length = written.Length };
        Assert.That(found, Is.EqualTo(written));
    }
}
