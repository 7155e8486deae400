using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class IoAddressSpaceTests
{
    /// <summary>V1: two domains and an access are one pin, which goes with the last of the three.</summary>
    [Test]
    public void Pin_OfTwoDomainsAndAnAccess_IsOneAndGoesWithTheLast()
    {
        using var rig = new IommufdRig(domains: 2);
        var keeper = new PinKeeper();
        using SpaceAccess access = rig.OpenAccess(keeper);
        rig.MapAt(ApertureStart, 0, Page);
        access.TryPin(new DmaAddr(ApertureStart), new ByteCount(Page), isWrite: true, out AccessPin? pin).ThrowIfError();
        rig.CheckPins(0, 1, 1);

        rig.Space.RemoveDomain(rig.Domain);
        rig.CheckPins(0, 1, 1);
        keeper.Drop(keeper.Keep(pin));
        rig.CheckPins(0, 1, 1);
        rig.Space.RemoveDomain(rig.Domain);
        rig.CheckPins(0, 1, 0);
    }

    /// <summary>V2: half of an area stays whole, and what lies before it is gone and told.</summary>
    [Test]
    public void Unmap_OfHalfAnArea_KeepsItAndTellsWhatIsGone()
    {
        using var rig = new IommufdRig(domains: 1);
        rig.MapAt(ApertureStart, 0, Page);
        rig.MapAt(ApertureStart + Page, Page, Page);
        rig.MapAt(ApertureStart + (2 * Page), 2 * Page, 2 * Page);

        Assert.That(rig.TryUnmap(ApertureStart, 3 * Page, out ulong unmapped), Is.EqualTo(Errno.ENOENT));
        Assert.That((unmapped, rig.Space.AreaCount), Is.EqualTo((2 * Page, 1)));
        rig.CheckPins(0, 2, 0);
        rig.CheckPins(2, 2, 1);
        rig.CheckMap(rig.Domain, ApertureStart + (2 * Page), 2 * Page, 2 * Page);
    }

    [Test]
    public void Unmap_WithADeafAccess_GivesUpAfterAHundredTellings()
    {
        using var rig = new IommufdRig();
        var keeper = new PinKeeper { IsDeaf = true };
        using SpaceAccess access = rig.OpenAccess(keeper);
        rig.MapAt(ApertureStart, 0, Page);
        access.TryPin(new DmaAddr(ApertureStart), new ByteCount(Page), isWrite: false, out AccessPin? pin).ThrowIfError();
        keeper.Keep(pin);

        Assert.That(rig.TryUnmap(ApertureStart, Page, out ulong unmapped), Is.EqualTo(Errno.EDEADLK));
        Assert.That((unmapped, keeper.Told), Is.EqualTo((0UL, 101)));
        Assert.That(
            access.TryPin(new DmaAddr(ApertureStart), new ByteCount(Page), isWrite: false, out _), Is.EqualTo(Errno.EINVAL), "it is to go");
        Assert.That(access.TryRead(new DmaAddr(ApertureStart), new byte[1]), Is.EqualTo(Errno.EINVAL));
        keeper.IsDeaf = false;
        rig.Unmap(ApertureStart, Page);
    }

    [Test]
    public void Map_WithoutADomain_PinsNothingUntilOneComes()
    {
        using var rig = new IommufdRig();
        rig.MapAt(ApertureStart, 0, 4 * Page);
        rig.CheckPins(0, 4, 0);
        rig.Space.TryAddDomain(new IoDomainOptions(), out _).ThrowIfError();
        rig.CheckPins(0, 4, 1);
    }

    [Test]
    public void Map_WhereSomethingIsReserved_IsRefused()
    {
        using var rig = new IommufdRig(domains: 1);

        Assert.That(rig.TryMapAt(ApertureStart - Page, 0, 2 * Page), Is.EqualTo(Errno.EINVAL), "half outside the aperture");
        Assert.That(rig.Space.TryReserve(new IoRange(new DmaAddr(ApertureStart), new DmaAddr(ApertureStart))), Is.EqualTo(Errno.Ok));
        Assert.That(rig.TryMapAt(ApertureStart, 0, Page), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.TryMapAt(ApertureStart + 1, 0, Page), Is.EqualTo(Errno.EINVAL), "not on an I/O page");
        Assert.That(rig.TryMapAt(ApertureStart + Page, 1, Page), Is.EqualTo(Errno.EINVAL), "the user's address neither");
        Assert.That(rig.TryMapAt(ApertureStart + Page, 0, Page + 1), Is.EqualTo(Errno.EINVAL), "nor the length");
    }

    [Test]
    public void Map_OfAPartThatIsAbsent_PinsNothingAndMapsNothing()
    {
        using var rig = new IommufdRig(domains: 2);

        Assert.That(rig.TryMapAt(ApertureStart, BufferBytes - (2 * Page), 4 * Page), Is.EqualTo(Errno.EFAULT));
        Assert.That((rig.Space.AreaCount, rig.Context.LiveMapCount, rig.Domain.MappedCount), Is.EqualTo((0, 0, 0)));
        rig.CheckPins((BufferBytes / Page) - 2, 2, 0);
    }

    [Test]
    public void Map_WithoutRoom_IsRefused()
    {
        using var rig = new IommufdRig();
        rig.Space.TryAllow(new IoRange(new DmaAddr(Page), new DmaAddr((4 * Page) - 1))).ThrowIfError();

        Assert.That(rig.TryMap(0, 4 * Page, out _), Is.EqualTo(Errno.ENOSPC));
        Assert.That(rig.TryMap(0, 2 * Page, out ulong at), Is.EqualTo(Errno.Ok));
        Assert.That(at, Is.EqualTo(2 * Page), "the user's address is on two pages, so the I/O address is");
        Assert.That(rig.TryMapAt(16 * Page, 0, Page), Is.EqualTo(Errno.Ok), "a given address is not bound by what is allowed");
    }

    [TestCase(new ulong[0], "ok")]
    [TestCase(new[] { 1UL, 1UL }, "EINVAL")]
    [TestCase(new[] { 0UL, 9UL, 9UL, 20UL }, "EINVAL")]
    [TestCase(new[] { 30UL, 40UL, 0UL, 9UL }, "ok")]
    public void Allow_Ranges_AnswersAsTheKernel(ulong[] ends, string errno)
    {
        using var rig = new IommufdRig();
        IoRange[] ranges = [.. ends.Chunk(2).Select(pair => new IoRange(new DmaAddr(pair[0]), new DmaAddr(pair[1])))];

        Errno found = rig.Space.TryAllow(ranges);

        Assert.That(found.IsOk ? "ok" : found.ToString(), Is.EqualTo(errno));
    }

    [Test]
    public void Copy_WithMoreThanWasMapped_IsRefused()
    {
        using var rig = new IommufdRig();
        rig.MapAt(Page, 0, Page, IoAccess.Read);
        IoAddressSpace other = rig.CreateSpace();

        Assert.That(other.TryCopy(rig.Space, new DmaAddr(Page), new ByteCount(Page), IoAccess.ReadWrite, out _), Is.EqualTo(Errno.EPERM));
        Assert.That(other.TryCopy(rig.Space, new DmaAddr(Page), new ByteCount(2 * Page), IoAccess.Read, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(other.TryCopy(rig.Space, new DmaAddr(Page), ByteCount.Zero, IoAccess.Read, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(other.TryCopy(rig.Space, new DmaAddr(Page), new ByteCount(Page), IoAccess.None, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(other.TryCopy(rig.Space, DmaAddr.MaxValue, new ByteCount(Page), IoAccess.Read, out _), Is.EqualTo(Errno.EOVERFLOW));
        Assert.That((other.AreaCount, rig.Context.LiveMapCount), Is.EqualTo((0, 1)));
        using var foreign = new IommufdRig();
        Assert.That(
            () => other.TryCopy(foreign.Space, new DmaAddr(Page), new ByteCount(Page), IoAccess.Read, out _), Throws.ArgumentException);
    }

    [Test]
    public void Copy_OverTwoAreas_SharesBothPages()
    {
        using var rig = new IommufdRig();
        rig.MapAt(Page, 0, 2 * Page);
        rig.MapAt(3 * Page, 8 * Page, 2 * Page);
        IoAddressSpace other = rig.CreateSpace();
        other.TryCopyAt(new DmaAddr(ApertureStart), rig.Space, new DmaAddr(2 * Page), new ByteCount(2 * Page), IoAccess.Read).ThrowIfError();
        Assert.That((other.AreaCount, rig.Context.LiveMapCount), Is.EqualTo((2, 2)));
        other.TryAddDomain(new IoDomainOptions(), out IoDomain? domain).ThrowIfError();
        rig.CheckMap(domain!, ApertureStart, Page, Page);
        rig.CheckMap(domain!, ApertureStart + Page, 8 * Page, Page);
        rig.Unmap(Page, 2 * Page);
        rig.CheckPins(1, 1, 1);
    }

    [Test]
    public void AddDomain_OverWhatDoesNotFit_IsRefusedAndUndone()
    {
        using var rig = new IommufdRig();
        rig.MapAt(Page, 0, Page);
        Assert.That(rig.Space.TryAddDomain(new IoDomainOptions(), out _), Is.EqualTo(Errno.EADDRINUSE), "outside the aperture");
        rig.Unmap(Page, Page);
        rig.MapAt(ApertureStart, 0, 1000);
        Assert.That(rig.Space.TryAddDomain(new IoDomainOptions(), out _), Is.EqualTo(Errno.EADDRINUSE), "off the I/O page");
        rig.Unmap(ApertureStart, 1000);
        Assert.That(
            rig.Space.TryAddDomain(new IoDomainOptions { PageBytes = ByteCount.FromKiB(8) }, out _), Is.EqualTo(Errno.EINVAL));
        rig.MapAt(ApertureStart, 0, Page);
        rig.MapAt(ApertureStart + Page, BufferBytes, Page);
        Assert.That(rig.Space.TryAddDomain(new IoDomainOptions(), out _), Is.EqualTo(Errno.EFAULT), "nothing is there");
        rig.CheckPins(0, 1, 0);
        Assert.That((rig.Space.Alignment.Value, rig.Space.CollectUsableRanges().Count), Is.EqualTo((1UL, 1)));
    }

    [Test]
    public void Space_ThatIsDestroyed_IsGone()
    {
        using var rig = new IommufdRig();
        IoAddressSpace space = rig.CreateSpace();
        Assert.That(space.TryDestroy(), Is.EqualTo(Errno.Ok));
        Assert.That(rig.Context.SpaceCount, Is.EqualTo(1));
        Assert.That(space.TryMap(rig.Buffer, rig.User(0), new ByteCount(Page), IoAccess.Read, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(space.TryAddDomain(new IoDomainOptions(), out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(space.TryOpenAccess(owner: null, out _), Is.EqualTo(Errno.ENOENT));
        Assert.That(rig.Context.LiveMapCount, Is.Zero);
    }

    /// <summary>A user's memory that passes the top of the address space is refused, whatever lies there.</summary>
    [FsCheck.NUnit.Property]
    public bool Map_OfUserMemory_NeverWraps(byte below, ushort length) => RefusesWrap(below, length, allowsWrap: false);

    /// <summary>The fault of e4395701330f, put back.</summary>
    [Test]
    public void Map_OfUserMemoryThatWraps_IsCaught() => Assert.That(RefusesWrap(1, 2, allowsWrap: true), Is.False);

    private static bool RefusesWrap(byte below, ushort length, bool allowsWrap)
    {
        using var rig = new IommufdRig(open: machine => new IommufdContext(machine) { AllowsUserWrap = allowsWrap });
        ulong start = ulong.MaxValue - below;
        var bytes = new ByteCount(length + 1UL);
        bool passesTop = length + 1UL > below;
        Errno errno = rig.Space.TryMapAt(
            new DmaAddr(ApertureStart), rig.Buffer, new VirtAddr(start), bytes, IoAccess.ReadWrite);
        return errno == (passesTop ? Errno.EOVERFLOW : Errno.Ok);
    }
}
