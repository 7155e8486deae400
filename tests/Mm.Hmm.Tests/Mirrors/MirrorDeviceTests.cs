using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

public sealed class MirrorDeviceTests
{
    private static readonly MirrorMemoryKind[] Kinds = [MirrorMemoryKind.Private, MirrorMemoryKind.Coherent];

    [Test]
    public void TryCreatePrivate_OfWhatCannotBe_IsRefused()
    {
        using var rig = new MirrorRig();
        Assert.That(MirrorDevice.TryCreatePrivate(rig.Machine, "none", ByteCount.Zero, out MirrorDevice? device), Is.EqualTo(Errno.EINVAL));
        Assert.That(device, Is.Null);
        Assert.That(MirrorDevice.TryCreatePrivate(rig.Machine, "all", new ByteCount(1UL << 52), out device), Is.EqualTo(Errno.ERANGE));
        Assert.That(device, Is.Null);
        Assert.That(() => MirrorDevice.TryCreatePrivate(null!, "gpu", ByteCount.FromMiB(2), out _), Throws.ArgumentNullException);
    }

    [Test]
    public void TryCreateCoherent_OfWhatCannotBe_IsRefused()
    {
        using var rig = new MirrorRig(MirrorMemoryKind.Coherent);
        PhysRange taken = new(new PhysAddr(1UL << 32), ByteCount.FromMiB(2));
        PhysRange unaligned = new(new PhysAddr((1UL << 36) + 4096), ByteCount.FromMiB(2));
        PhysRange empty = new(new PhysAddr(1UL << 36), ByteCount.Zero);
        int regions = rig.Machine.AddressMap.Regions.Count;
        Assert.That(MirrorDevice.TryCreateCoherent(rig.Machine, "gpu", taken, out MirrorDevice? device), Is.EqualTo(Errno.EBUSY));
        Assert.That(device, Is.Null);
        Assert.That(MirrorDevice.TryCreateCoherent(rig.Machine, "gpu", unaligned, out device), Is.EqualTo(Errno.EINVAL));
        Assert.That(device, Is.Null);
        Assert.That(MirrorDevice.TryCreateCoherent(rig.Machine, "gpu", empty, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Machine.AddressMap.Regions, Has.Count.EqualTo(regions), "nothing is left of it");
    }

    [Test]
    public void TryCreate_WithoutMemoryForItsPageMap_IsEnomemAndLeavesNothing()
    {
        using var rig = new MirrorRig();
        int regions = rig.Machine.AddressMap.Regions.Count;
        ByteCount before = rig.Machine.NativeBytes;
        rig.Machine.Faults.FailNth(FaultPoint.Slab, 1, count: 2);
        PhysRange window = new(new PhysAddr(1UL << 36), ByteCount.FromMiB(2));
        Assert.That(MirrorDevice.TryCreatePrivate(rig.Machine, "gpu", ByteCount.FromMiB(2), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(MirrorDevice.TryCreateCoherent(rig.Machine, "gpu", window, out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(rig.Machine.AddressMap.Regions, Has.Count.EqualTo(regions));
        Assert.That(rig.Machine.NativeBytes, Is.EqualTo(before));
    }

    [Test]
    public void TryOpen_OfASpaceThatHasEnded_IsEinval()
    {
        using var rig = new MirrorRig();
        rig.Machine.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        space!.Dispose();
        Assert.That(rig.Device.TryOpen(space, out DeviceMirror? mirror), Is.EqualTo(Errno.EINVAL));
        Assert.That(mirror, Is.Null);
        Assert.That(() => rig.Device.TryOpen(null!, out _), Throws.ArgumentNullException);
    }

    [Test]
    public void Memory_IsDescribedByAPageMapOfItsKind([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MirrorRig(kind, deviceMiB: 2);
        Assert.That(rig.Device.Kind, Is.EqualTo(kind));
        Assert.That(rig.Device.Memory.Kind, Is.EqualTo(rig.IsCoherent ? PagemapKind.DeviceCoherent : PagemapKind.DevicePrivate));
        Assert.That(rig.Device.Memory.Owner, Is.SameAs(rig.Device));
        Assert.That(rig.Device.Memory.Pages, Is.EqualTo(new PageCount(512)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
        Assert.That(MirrorDevice.BatchPages, Is.EqualTo(new PageCount(64)));
    }

    [Test]
    public void Evict_WithAPagePinned_LeavesThatOne()
    {
        using var rig = new MirrorRig(MirrorMemoryKind.Coherent);
        VirtRange range = rig.MapFilled(3);
        rig.ToDevice(range);
        var pins = new PagePin[1];
        rig.Space.TryPin(Part(range, 1).Start, PinFlags.Write, pins, out _).ThrowIfError();
        Assert.That(rig.Device.Evict(), Is.EqualTo(new PageCount(2)));
        Assert.That(Places(rig.Mirror, range), Is.EqualTo(new[] { MirrorPlace.System, MirrorPlace.CoherentHere, MirrorPlace.System }));
        pins[0].Dispose();
        Assert.That(rig.Device.Evict(), Is.EqualTo(PageCount.One));
        Assert.That(rig.Read(range), Is.EqualTo(Words(3)));
    }

    [Test]
    public void Evict_WithoutMemory_LeavesPagesAndTheNextOneTakesThem()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(3);
        rig.ToDevice(range);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, count: 2);
        Assert.That(rig.Device.Evict(), Is.EqualTo(PageCount.One));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Device.Evict(), Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Read(range), Is.EqualTo(Words(3)));
    }

    [Test]
    public void Evict_OfPagesThatProcessesShare_BringsThemHomeOnce([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MirrorRig(kind);
        VirtRange range = rig.MapFilled(2);
        rig.ToDevice(range);
        using AddressSpace child = rig.Fork();
        Assert.That(rig.Device.Evict(), Is.EqualTo(new PageCount(2)));
        Assert.That(child.Tables.Read(range.Start).Frame, Is.EqualTo(rig.FrameAt(range.Start)));
        rig.Machine.Validate();
        Assert.That(Read(child, range), Is.EqualTo(Words(2)));
    }

    [Test]
    public void Dispose_BringsItsPagesHomeAndItsMemoryGoes([ValueSource(nameof(Kinds))] MirrorMemoryKind kind)
    {
        using var rig = new MirrorRig(kind);
        int regions = rig.Machine.AddressMap.Regions.Count;
        VirtRange range = rig.MapFilled(2);
        rig.ToDevice(range);
        rig.Device.Dispose();
        rig.Device.Dispose();
        Assert.That(rig.Device.Memory.State, Is.EqualTo(PagemapState.Dead));
        Assert.That(rig.Machine.AddressMap.Regions, Has.Count.EqualTo(regions - 1));
        Assert.That(rig.Read(range), Is.EqualTo(Words(2)));
        Assert.That(() => rig.Device.TryOpen(rig.Space, out _), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void Dispose_WithAPagePinned_WaitsForTheLastPage()
    {
        using var rig = new MirrorRig(MirrorMemoryKind.Coherent);
        VirtRange range = rig.MapFilled(1);
        rig.ToDevice(range);
        var pins = new PagePin[1];
        rig.Space.TryPin(range.Start, PinFlags.Write, pins, out _).ThrowIfError();
        rig.Device.Dispose();
        Assert.That(rig.Device.Memory.State, Is.EqualTo(PagemapState.Dying));
        Assert.That(rig.Read(range), Is.EqualTo(Words(1)), "its bytes are there still");
        pins[0].Dispose();
        rig.Space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Assert.That(rig.Device.Memory.State, Is.EqualTo(PagemapState.Dead));
    }

    [Test]
    public void Engine_ThatWasMadeForIt_CopiesAndEndsWithIt()
    {
        using var rig = new MirrorRig(hasOwnEngines: true);
        VirtRange range = rig.MapFilled(2);
        rig.ToDevice(range);
        var engine = (DeviceCopyEngine)rig.Device.Engine;
        Assert.That(engine.Counters.Copied, Is.EqualTo(new PageCount(2)));
        Assert.That(rig.Read(range), Is.EqualTo(Words(2)));
        rig.Device.Dispose();
        using CopyJob jobs = new CopyJobPool().Rent();
        jobs.Add(PageCopy.Clear(new Pfn(1)));
        Assert.That(engine.TrySubmit(jobs), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void TryMigrateToRam_OfAPageThatIsFree_IsEfault()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        Area area = rig.Space.Areas.Single(area => area.Range.Contains(range));
        var fault = new DevicePageFault(rig.Space, area, range.Start, rig.Device.Memory.Ranges[0].Start);
        Assert.That(((IPrivatePagemapOps)rig.Device).TryMigrateToRam(rig.Device.Memory, fault), Is.EqualTo(Errno.EFAULT));
    }

    [Test]
    public void CpuFault_WithoutMemory_IsABusErrorAndThePageStays()
    {
        using var rig = new MirrorRig();
        VirtRange range = rig.MapFilled(1);
        rig.ToDevice(range);
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(rig.Space.Read(range.Start, new byte[1]), Is.EqualTo(FaultResult.BusError));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.One));
        Assert.That(rig.Read(range), Is.EqualTo(Words(1)));
        Assert.That(rig.Device.UsedPages, Is.EqualTo(PageCount.Zero));
    }
}
