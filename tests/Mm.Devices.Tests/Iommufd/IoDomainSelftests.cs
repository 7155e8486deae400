using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// The tests of fixture iommufd_mock_domain (tools/testing/selftests/iommu/iommufd.c, v6.12), under their names, with one
/// domain and two, over small pages and huge ones.
/// </summary>
[TestFixture(1, false)]
[TestFixture(2, false)]
[TestFixture(1, true)]
[TestFixture(2, true)]
internal sealed class IoDomainSelftests(int domains, bool isHuge)
{
    private IommufdRig rig = null!;
    private UserBuffer mapped = null!;

    private ulong MappedBytes => mapped.Range.Length.Value;

    [SetUp]
    public void SetUp()
    {
        rig = new IommufdRig(domains);
        mapped = isHuge ? rig.CreateBuffer(0x20_0000_0000, 1024, order: 9) : rig.CreateBuffer(0x20_0000_0000, 8);
    }

    [TearDown]
    public void TearDown()
    {
        rig.Context.Validate();
        rig.Context.Dispose();
        CheckPins(0, MappedBytes / Page, 0);
        mapped.Dispose();
        rig.Dispose();
    }

    [Test]
    public void basic()
    {
        ulong at = rig.Map(0, Page);
        foreach (IoDomain domain in rig.Space.Domains)
        {
            rig.CheckMap(domain, at, 0, Page);
        }

        Assert.That(TryMap(MappedBytes / 2, MappedBytes, out _), Is.EqualTo(Errno.EFAULT), "half of it");
        Assert.That(TryMap(MappedBytes, MappedBytes, out _), Is.EqualTo(Errno.EFAULT), "the first page");
        CheckPins(0, MappedBytes / Page, 0);
    }

    [Test]
    public void ro_unshare()
    {
        Errno errno = rig.Space.TryMap(
            mapped, mapped.Range.Start, new ByteCount(Page), IoAccess.Read, out DmaAddr at);
        errno.ThrowIfError();
        rig.CheckMap(rig.Domain, at.Value, 0, Page, mapped);
        mapped.TryWrite(mapped.Range.Start, [1]).ThrowIfError();
        rig.CheckMap(rig.Domain, at.Value, 0, Page, mapped);
    }

    [Test]
    public void all_aligns()
    {
        foreach ((ulong start, ulong length) in Slices())
        {
            TryMap(start, length, out ulong at).ThrowIfError();
            CheckDomains(at, start, length);
            CheckPins(start / Page, ((start + length) / Page) - (start / Page), 1);
            rig.Unmap(at, length);
        }

        CheckPins(0, MappedBytes / Page, 0);
    }

    [Test]
    public void all_aligns_copy()
    {
        foreach ((ulong start, ulong length) in Slices())
        {
            TryMap(start, length, out ulong at).ThrowIfError();
            rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? domain).ThrowIfError();
            CheckDomains(at, start, length);
            CheckPins(start / Page, ((start + length) / Page) - (start / Page), 1);
            rig.Space.RemoveDomain(domain!);
            rig.Unmap(at, length);
        }

        CheckPins(0, MappedBytes / Page, 0);
    }

    [Test]
    public void user_copy()
    {
        var keeper = new PinKeeper();
        IoAddressSpace plain = rig.CreateSpace();
        DmaAddr from = MapWhole(plain);
        using SpaceAccess access = rig.OpenAccess(keeper, plain);
        access.TryPin(from, rig.Buffer.Range.Length, isWrite: false, out AccessPin? pin).ThrowIfError();
        keeper.Keep(pin);
        rig.Space.TryCopyAt(new DmaAddr(ApertureStart), plain, from, rig.Buffer.Range.Length, IoAccess.Write).ThrowIfError();
        rig.CheckMap(rig.Domain, ApertureStart, 0, BufferBytes);
        rig.CheckPins(0, BufferBytes / Page, 1);

        IoAddressSpace next = rig.CreateSpace();
        from = MapWhole(next);
        Assert.That(access.TryMoveTo(next), Is.EqualTo(Errno.Ok));
        Assert.That(keeper.Count, Is.Zero);
        rig.Unmap(ApertureStart, BufferBytes);
        Assert.That(plain.TryDestroy(), Is.EqualTo(Errno.Ok));

        access.TryPin(from, rig.Buffer.Range.Length, isWrite: false, out pin).ThrowIfError();
        rig.Space.TryCopyAt(new DmaAddr(ApertureStart), next, from, rig.Buffer.Range.Length, IoAccess.Write).ThrowIfError();
        rig.CheckMap(rig.Domain, ApertureStart, 0, BufferBytes);
        pin!.Dispose();
        access.Dispose();
        Assert.That(next.TryDestroy(), Is.EqualTo(Errno.Ok));
    }

    // A device that moves from one domain to another is a domain that is made before the other one goes.
    [Test]
    public void replace()
    {
        rig.MapAt(ApertureStart, 0, 4 * Page);
        IoDomain before = rig.Domain;
        rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? after).ThrowIfError();
        rig.Space.RemoveDomain(before);
        rig.CheckMap(after!, ApertureStart, 0, 4 * Page);
        Assert.That(before.MappedCount, Is.Zero);
        Assert.That(() => rig.Space.RemoveDomain(before), Throws.ArgumentException);
        rig.CheckPins(0, 4, 1);
    }

    [Test]
    public void alloc_hwpt()
    {
        rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? one).ThrowIfError();
        rig.Space.TryAddDomain(new IoDomainOptions(), out IoDomain? two).ThrowIfError();
        Assert.That(rig.Space.TryDestroy(), Is.EqualTo(Errno.EBUSY));
        rig.Space.RemoveDomain(one!);
        rig.Space.RemoveDomain(two!);
        Assert.That(rig.Space.Domains, Has.Count.EqualTo(domains));
    }

    private IEnumerable<(ulong Start, ulong Length)> Slices()
    {
        ulong step = isHuge ? MappedBytes / 16 : IoPage;
        for (ulong start = 0; start < MappedBytes; start += step)
        {
            for (ulong end = isHuge ? MappedBytes : start + IoPage; end <= MappedBytes; end += IoPage)
            {
                yield return (start, end - start);
            }
        }
    }

    private Errno TryMap(ulong offset, ulong length, out ulong at)
    {
        VirtAddr start = mapped.Range.Start.AddWrapping(new ByteCount(offset));
        Errno errno = rig.Space.TryMap(mapped, start, new ByteCount(length), IoAccess.ReadWrite, out DmaAddr address);
        at = address.Value;
        return errno;
    }

    private DmaAddr MapWhole(IoAddressSpace space)
    {
        Errno errno = space.TryMap(
            rig.Buffer, rig.User(0), rig.Buffer.Range.Length, IoAccess.ReadWrite, out DmaAddr at);
        errno.ThrowIfError();
        return at;
    }

    private void CheckDomains(ulong at, ulong start, ulong length)
    {
        foreach (IoDomain domain in rig.Space.Domains)
        {
            rig.CheckMap(domain, at, start, length, mapped);
        }
    }

    // The kernel does not count those of huge pages either: they are kept for all of a folio.
    private void CheckPins(ulong first, ulong pages, int pins)
    {
        if (!isHuge || pins == 0)
        {
            rig.CheckPins(first, pages, pins, mapped);
        }
    }
}
