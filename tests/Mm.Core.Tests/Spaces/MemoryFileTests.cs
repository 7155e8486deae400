using Mm.Core.Frames;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

public sealed class MemoryFileTests
{
    private const ulong Page = 4096;

    private static readonly AreaTraits SharedWrite = new(AreaKind.FileShared, AreaAccess.ReadWrite);
    private static readonly AreaTraits SharedRead = new(AreaKind.FileShared, AreaAccess.Read);
    private static readonly AreaTraits PrivateWrite = new(AreaKind.FilePrivate, AreaAccess.ReadWrite);

    private Machine machine = null!;
    private MemoryFile file = null!;

    [SetUp]
    public void Build()
    {
        machine = Machine.CreateBuilder().AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(16))).Build();
        file = new MemoryFile(machine.Allocator, new PhysicalBytes(machine.AddressMap, machine.Memory), allowsSealing: true);
    }

    [TearDown]
    public void LeavesNoPage()
    {
        file.Validate();
        file.Dispose();
        machine.Validate();
        Assert.That(file.PagesInMemory, Is.EqualTo(PageCount.Zero));
        machine.Dispose();
    }

    [Test]
    public void Write_AcrossPages_IsReadBackWithZerosInHoles()
    {
        byte[] text = [.. Enumerable.Range(1, 100).Select(static value => (byte)value)];
        Assert.That(file.TryWrite(new ByteCount((2 * Page) - 50), text, out int written), Is.EqualTo(Errno.Ok));
        Assert.That((written, file.Size.Value, file.PagesInMemory.Value), Is.EqualTo((100, (2 * Page) + 50, 2UL)));
        var read = new byte[200];
        Assert.That(file.Read(new ByteCount((2 * Page) - 100), read), Is.EqualTo(150));
        Assert.That(read, Is.EqualTo(new byte[50].Concat(text).Concat(new byte[50])));
        Assert.That(file.Read(new ByteCount(10), read), Is.EqualTo(200), "a hole");
        Assert.That(read, Is.All.Zero);
        Assert.That(file.Read(file.Size, read), Is.Zero);
    }

    [Test]
    public void Resize_DownAndUp_ShowsZerosBeyondTheOldEnd()
    {
        Write(0, 2 * Page);
        Assert.That(file.TryResize(new ByteCount(100)), Is.EqualTo(Errno.Ok));
        Assert.That(file.PagesInMemory, Is.EqualTo(PageCount.One));
        Assert.That(file.TryResize(new ByteCount(2 * Page)), Is.EqualTo(Errno.Ok));
        var read = new byte[2 * Page];
        Assert.That(file.Read(default, read), Is.EqualTo(read.Length));
        Assert.That((read[99], read.AsSpan(100).ContainsAnyExcept((byte)0)), Is.EqualTo(((byte)0x5a, false)));
    }

    [Test]
    public void Resize_Down_TellsMappingsBeforePagesGoAndAfter()
    {
        Write(0, 3 * Page);
        Assert.That(file.TryGetPage(new PageCount(2), out PageRef last), Is.EqualTo(Errno.Ok));
        var watcher = new Watcher(() => last.Info.References);
        Assert.That(file.TryMap(SharedWrite, watcher, out FileMapping? mapping), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryResize(new ByteCount(Page + 1)), Is.EqualTo(Errno.Ok));
        var told = new[] { (file, new PageCount(2), 2U), (file, new PageCount(2), 1U) };
        Assert.That(watcher.Calls, Is.EqualTo(told), "the file held its page when it told first, and no more the second time");
        Assert.That(last.Info.References, Is.EqualTo(1U));
        last.Dispose();
        mapping!.Dispose();
    }

    [Test]
    public void Resize_Down_LetsWatchersLookAtTheFile()
    {
        Write(0, 2 * Page);
        var watcher = new Watcher(() => (uint)file.Size.Value + (uint)file.PagesInMemory.Value);
        Assert.That(file.TryMap(SharedWrite, watcher, out FileMapping? mapping), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryResize(new ByteCount(Page)), Is.EqualTo(Errno.Ok));
        uint[] seen = [.. watcher.Calls.Select(static call => call.Seen)];
        Assert.That(seen, Is.EqualTo(new[] { (uint)Page + 2, (uint)Page + 1 }), "no lock is held, and the new size stands already");
        mapping!.Dispose();
    }

    [Test]
    public void Resize_OfTwoToTheSixtyThird_IsEinval() =>
        Assert.That(file.TryResize(new ByteCount(1UL << 63)), Is.EqualTo(Errno.EINVAL));

    [TestCase(1UL, 3UL)]
    [TestCase(3UL, 1UL)]
    public void Resize_AgainstItsSeal_IsEperm(ulong before, ulong after)
    {
        Assert.That(file.TryResize(new ByteCount(before * Page)), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryAddSeals(before < after ? FileSeals.Grow : FileSeals.Shrink), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryResize(new ByteCount(after * Page)), Is.EqualTo(Errno.EPERM));
        Assert.That(file.TryResize(new ByteCount(before * Page)), Is.EqualTo(Errno.Ok), "the same size is neither");
        Assert.That(file.Size, Is.EqualTo(new ByteCount(before * Page)));
    }

    [Test]
    public void Seals_AreOnlyAddedUntilSealed()
    {
        Assert.That(file.TryAddSeals((FileSeals)64), Is.EqualTo(Errno.EINVAL));
        Assert.That(file.TryAddSeals(FileSeals.Grow | FileSeals.Exec), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryAddSeals(FileSeals.Seal), Is.EqualTo(Errno.Ok));
        Assert.That(file.Seals, Is.EqualTo(FileSeals.Grow | FileSeals.Exec | FileSeals.Seal));
        Assert.That(file.TryAddSeals(FileSeals.Shrink), Is.EqualTo(Errno.EPERM));
        using var plain = new MemoryFile(machine.Allocator, new PhysicalBytes(machine.AddressMap, machine.Memory));
        Assert.That(plain.TryAddSeals(FileSeals.Shrink), Is.EqualTo(Errno.EPERM), "never sealable");
    }

    [Test]
    public void WriteSeal_WhileAMappingMayWrite_IsEbusy()
    {
        Assert.That(file.TryMap(SharedRead, new Watcher(), out FileMapping? mapping), Is.EqualTo(Errno.Ok));
        Assert.That(mapping!.MayWrite, Is.True, "read-only, but it may be made writable");
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.EBUSY));
        Assert.That(file.TryAddSeals(FileSeals.FutureWrite), Is.EqualTo(Errno.Ok));
        mapping.Dispose();
        mapping.Dispose();
        Assert.That(file.TryMap(PrivateWrite, new Watcher(), out FileMapping? own), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok), "private copies are no writes");
        own!.Dispose();
    }

    [Test]
    public void WriteSeal_WhileAPageIsHeld_IsEbusy()
    {
        Write(0, Page);
        Assert.That(file.TryGetPage(default, out PageRef page), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.EBUSY));
        Assert.That(file.Seals, Is.EqualTo(FileSeals.None));
        page.Dispose();
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Map_WithAWriteSeal_IsReadOnlyForGood([Values(FileSeals.Write, FileSeals.FutureWrite)] object seal)
    {
        Assert.That(file.TryAddSeals((FileSeals)seal), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryMap(SharedWrite, new Watcher(), out FileMapping? refused), Is.EqualTo(Errno.EPERM));
        Assert.That(refused, Is.Null);
        Assert.That(file.TryMap(SharedRead, new Watcher(), out FileMapping? mapping), Is.EqualTo(Errno.Ok));
        Assert.That((mapping!.Traits.Forbidden, mapping.Traits.Backing), Is.EqualTo((AreaAccess.Write, (object)file)));
        mapping.Dispose();
        Assert.That(() => file.TryMap(new AreaTraits(AreaKind.PfnMapped, AreaAccess.Read), new Watcher(), out _), Throws.ArgumentException);
    }

    [TestCase(FileSeals.Write)]
    [TestCase(FileSeals.FutureWrite)]
    public void Write_AgainstAWriteSeal_IsEperm(object seal)
    {
        Assert.That(file.TryAddSeals((FileSeals)seal), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryWrite(default, [1], out int written), Is.EqualTo(Errno.EPERM));
        Assert.That((written, file.Size), Is.EqualTo((0, ByteCount.Zero)));
    }

    [Test]
    public void Write_AcrossASealedEnd_WritesUpToThePage()
    {
        Assert.That(file.TryResize(new ByteCount(Page)), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryAddSeals(FileSeals.Grow), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryWrite(new ByteCount(Page - 1), [1, 2], out int written), Is.EqualTo(Errno.Ok));
        Assert.That(written, Is.EqualTo(1));
        Assert.That(file.TryWrite(new ByteCount(Page), [1], out written), Is.EqualTo(Errno.EPERM));
    }

    [Test]
    public void Write_WithoutMemory_IsEnomemOrShort()
    {
        machine.Faults.FailNth(FaultPoint.PageAlloc, 2);
        Assert.That(file.TryWrite(default, new byte[2 * Page], out int written), Is.EqualTo(Errno.Ok));
        Assert.That((written, file.Size.Value), Is.EqualTo(((int)Page, Page)));
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(file.TryWrite(new ByteCount(Page), [1], out written), Is.EqualTo(Errno.ENOMEM));
        Assert.That((written, file.Size.Value), Is.EqualTo((0, Page)));
        Assert.That(file.TryWrite(new ByteCount(long.MaxValue), [1], out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void GetPage_BeyondTheSizeOrMemory_IsRefused()
    {
        Assert.That(file.TryGetPage(default, out PageRef page), Is.EqualTo(Errno.EINVAL));
        Assert.That(file.TryResize(new ByteCount(1)), Is.EqualTo(Errno.Ok));
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        Assert.That(file.TryGetPage(default, out page), Is.EqualTo(Errno.ENOMEM));
        Assert.That(file.TryGetPage(default, out page), Is.EqualTo(Errno.Ok));
        Assert.That(page.Info.References, Is.EqualTo(2U));
        page.Dispose();
    }

    [Test]
    public void PinSealed_WithOtherSealsOrTooFar_IsEinvalAndPinsNothing()
    {
        Write(0, 2 * Page);
        var pins = new PagePin[2];
        Assert.That(file.TryPinSealed(FileSeals.Shrink, FileSeals.Write, default, pins), Is.EqualTo(Errno.EINVAL), "not sealed");
        Assert.That(file.TryAddSeals(FileSeals.Shrink), Is.EqualTo(Errno.Ok));
        Assert.That(file.TryPinSealed(FileSeals.Shrink, FileSeals.Shrink, default, pins), Is.EqualTo(Errno.EINVAL), "sealed");
        Assert.That(file.TryPinSealed(FileSeals.Shrink, FileSeals.Write, PageCount.One, pins), Is.EqualTo(Errno.EINVAL), "beyond");
        Assert.That(pins, Is.All.EqualTo(default(PagePin)));
        Assert.That(file.TryAddSeals(FileSeals.Write), Is.EqualTo(Errno.Ok), "so no pin was left");
    }

    [Test]
    public void PinSealed_OfHalfAPageAtTheEndOrOfNothing_IsEinval()
    {
        Write(0, Page);
        Assert.That(file.TryResize(new ByteCount(Page + 100)), Is.EqualTo(Errno.Ok));
        var pins = new PagePin[2];
        Assert.That(file.TryPinSealed(FileSeals.None, FileSeals.None, default, pins), Is.EqualTo(Errno.EINVAL));
        Assert.That(file.TryPinSealed(FileSeals.None, FileSeals.None, default, []), Is.EqualTo(Errno.EINVAL));
        Assert.That(file.TryPinSealed(FileSeals.None, FileSeals.None, default, pins.AsSpan(0, 1)), Is.EqualTo(Errno.Ok));
        pins[0].Dispose();
    }

    [Test]
    public void PinSealed_WithoutMemory_PinsNothing()
    {
        Write(0, Page);
        Assert.That(file.TryResize(new ByteCount(2 * Page)), Is.EqualTo(Errno.Ok));
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);
        var pins = new PagePin[2];
        Assert.That(file.TryPinSealed(FileSeals.None, FileSeals.None, default, pins), Is.EqualTo(Errno.ENOMEM));
        Assert.That(pins, Is.All.EqualTo(default(PagePin)));
        Assert.That(file.TryPinSealed(FileSeals.None, FileSeals.None, default, pins), Is.EqualTo(Errno.Ok));
        Array.ForEach(pins, static pin => pin.Dispose());
    }

    [Test]
    public void Dispose_WhileMapped_KeepsThePagesForTheMapping()
    {
        Write(0, Page);
        Assert.That(file.TryMap(SharedRead, new Watcher(), out FileMapping? mapping), Is.EqualTo(Errno.Ok));
        file.Dispose();
        Assert.That(file.PagesInMemory, Is.EqualTo(PageCount.One));
        mapping!.Dispose();
        Assert.That(file.PagesInMemory, Is.EqualTo(PageCount.Zero));
        Assert.That(() => file.TryResize(default), Throws.InstanceOf<ObjectDisposedException>());
    }

    private void Write(ulong offset, ulong length)
    {
        var text = new byte[length];
        Array.Fill(text, (byte)0x5a);
        Assert.That(file.TryWrite(new ByteCount(offset), text, out _), Is.EqualTo(Errno.Ok));
    }

    private sealed class Watcher(Func<uint>? look = null) : IFileWatcher
    {
        internal List<(MemoryFile File, PageCount First, uint Seen)> Calls { get; } = [];

        public void RemovePages(MemoryFile file, PageCount first) => Calls.Add((file, first, look?.Invoke() ?? 0));
    }
}
