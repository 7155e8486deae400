using Mm.Core.Frames;
using Mm.Core.Pagemaps;

namespace Mm.Core.Tests.Pagemaps;

/// <summary>Device pages handed out as one folio.</summary>
public sealed class PagemapFolioTests
{
    private readonly List<Pfn> freed = [];
    private Machine machine = null!;
    private Pagemap map = null!;

    [SetUp]
    public void Build()
    {
        freed.Clear();
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4))).Build();
        machine.TryAddDevicePrivate("gpu", ByteCount.FromMiB(4), out AddressRegion? region).ThrowIfError();
        map = Add(PagemapKind.DevicePrivate, region!.Range);
    }

    [TearDown]
    public void LeavesNothing()
    {
        machine.Validate();
        bool isDead = false;
        map.Unmap(onDead: () => isDead = true);
        Assert.That(isDead, Is.True, "no page holds the map");
        machine.Dispose();
    }

    [Test]
    public void Folio_HandedOut_IsOnePage_AndComesBackAsMany()
    {
        Pfn head = map.Ranges[0].Start;
        Assert.That(map.TryHandOutFolio(head, 9, out PageRef folio, out PageLock pageLock), Is.EqualTo(Errno.Ok));
        Assert.That((folio.Frames, folio.Info.References, pageLock.IsHeld), Is.EqualTo((new PfnRange(head, new PageCount(512)), 1U, true)));
        Assert.That(machine.Frames.Describe(new Pfn(head.Value + 5)).IsTail, Is.True);
        Assert.That(map.TryHandOut(new Pfn(head.Value + 5), out _, out _), Is.EqualTo(Errno.EBUSY));
        machine.Validate();
        Assert.That(machine.Frames.TryGet(new Pfn(head.Value + 5), out PageRef part), Is.EqualTo(Errno.Ok), "through a part");
        pageLock.Dispose();
        folio.Dispose();
        Assert.That(freed, Is.Empty);
        part.Dispose();
        Assert.That(freed, Has.Count.EqualTo(512));
        Assert.That(map.TryHandOut(new Pfn(head.Value + 5), out PageRef again, out pageLock), Is.EqualTo(Errno.Ok), "each is idle for itself");
        machine.Validate();
        pageLock.Dispose();
        Assert.That(map.TryHandOutFolio(head, 9, out _, out _), Is.EqualTo(Errno.EBUSY), "one of them is in use");
        again.Dispose();
        Assert.That(map.TryHandOutFolio(head, 9, out folio, out pageLock), Is.EqualTo(Errno.Ok));
        pageLock.Dispose();
        folio.Dispose();
    }

    [Test]
    public void Folio_BrokenUp_IsSinglePages()
    {
        Pfn head = map.Ranges[0].Start;
        map.TryHandOutFolio(head, 9, out _, out PageLock pageLock).ThrowIfError();
        pageLock.Dispose();
        Assert.That(machine.Frames.TrySplitFolio(head, expected: 1), Is.True);
        machine.Validate();
        for (ulong part = 0; part < 512; part++)
        {
            machine.Frames.AdoptReference(new Pfn(head.Value + part)).Dispose();
        }

        Assert.That(freed.Distinct().Count(), Is.EqualTo(512));
    }

    [Test]
    public void Folio_ThatCannotBe_IsRefused()
    {
        Pfn head = map.Ranges[0].Start;
        Assert.That(() => map.TryHandOutFolio(new Pfn(head.Value + 1), 9, out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => map.TryHandOutFolio(head, 0, out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => map.TryHandOutFolio(head, 10, out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => map.TryHandOutFolio(default, 9, out _, out _), Throws.InstanceOf<ArgumentOutOfRangeException>());
        var window = new PhysRange(new PhysAddr(1UL << 40), ByteCount.FromMiB(2));
        machine.TryAddDeviceWindow("bar", window, out _).ThrowIfError();
        Pagemap peer = Add(PagemapKind.PciP2pDma, window);
        Assert.That(peer.TryHandOutFolio(peer.Ranges[0].Start, 9, out _, out _), Is.EqualTo(Errno.EOPNOTSUPP), "its idle pages have a reference");
        peer.Unmap();
        map.Unmap();
        Assert.That(map.TryHandOutFolio(head, 9, out _, out _), Is.EqualTo(Errno.ENODEV));
        machine.TryAddDevicePrivate("other", ByteCount.FromMiB(2), out AddressRegion? region).ThrowIfError();
        map = Add(PagemapKind.DevicePrivate, region!.Range);
    }

    private Pagemap Add(PagemapKind kind, PhysRange range)
    {
        var request = new PagemapRequest { Kind = kind, Ranges = [range], Owner = this, Ops = new Driver(freed) };
        machine.Pagemaps.TryAdd(request, out Pagemap? added).ThrowIfError();
        return added!;
    }

    private sealed class Driver(List<Pfn> freed) : IPrivatePagemapOps
    {
        public void OnPageFree(Pagemap map, Pfn page) => freed.Add(page);

        public Errno TryMigrateToRam(Pagemap map, IDevicePageFault fault) => Errno.EFAULT;
    }
}
