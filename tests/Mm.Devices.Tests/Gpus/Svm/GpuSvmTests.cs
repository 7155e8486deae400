using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.DmaBuf.Reservations;
using static Mm.Devices.Tests.Gpus.SvmRig;

namespace Mm.Devices.Tests.Gpus.Svm;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class GpuSvmTests : IDisposable
{
    private const ulong KiB = 1024;
    private const ulong MiB = 1024 * KiB;
    private const ulong Base = 0x4000_0000;

    private readonly SvmRig rig = new();

    private GpuSvm Svm => rig.Svm;

    public void Dispose() => rig.Dispose();

    [Test]
    public void Touch_ByTheGpu_ReadsAndWritesWhereTheMemoryIs()
    {
        VirtRange array = rig.MapFilled(100 * KiB, out byte[] bytes);
        Assert.That(rig.GpuRead(array), Is.EqualTo(bytes));
        bytes[5000] ^= 0xff;
        Svm.TryWrite(new VirtAddr(array.Start.Value + 5000), [bytes[5000]]).ThrowIfError();
        Assert.That((rig.CpuRead(array), rig.UsedVram), Is.EqualTo((bytes, 0UL)));
        Assert.That(rig.Gpu.Gpu.Dma.LiveMappings, Is.Positive);
    }

    [Test]
    public void Fault_ThatWantsTheDevice_BringsTheLargestChunk()
    {
        VirtRange array = rig.MapFilled(4 * MiB + (64 * KiB), out byte[] bytes, Base);
        Svm.Policy = ToDevice;
        Assert.That(rig.GpuRead(new VirtRange(array.Start, new ByteCount(1))), Is.EqualTo((byte[])[bytes[0]]));
        Svm.TryFault(new VirtAddr(Base + (4 * MiB)), ToDevice).ThrowIfError();
        Assert.That(
            Svm.Ranges.Select(static range => (range.Range.Start.Value, range.Range.Length.Value)),
            Is.EqualTo(((ulong, ulong)[])[(Base, 2 * MiB), (Base + (4 * MiB), 64 * KiB)]));
        Assert.That((rig.UsedVram, Svm.MappedPages.Value, Svm.BlockCount), Is.EqualTo((528UL, 528UL, 1)));
        Assert.That(rig.GpuRead(new VirtRange(array.Start, new ByteCount(2 * MiB))).AsSpan().SequenceEqual(bytes.AsSpan(0, (int)(2 * MiB))), Is.True);
    }

    [Test]
    public void Touch_OfPagesThatCameBack_LeavesNoTenantOfTheGpusMemory()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
        Svm.TryFault(array.Start, default).ThrowIfError();
        Assert.That((rig.UsedVram, Svm.MappedPages.Value), Is.EqualTo((0UL, 16UL)));
        rig.Gpu.Gpu.Validate();
    }

    [Test]
    public void Touch_ByTheCpu_BringsTheWholeRangeBack()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        Svm.TryWrite(array.Start, [1, 2, 3]).ThrowIfError();
        (bytes[0], bytes[1], bytes[2]) = (1, 2, 3);
        Assert.That((rig.UsedVram, Svm.MappedPages.Value), Is.EqualTo((16UL, 16UL)));
        Assert.That(rig.CpuRead(new VirtRange(array.Start, new ByteCount(3))), Is.EqualTo((byte[])[1, 2, 3]));
        Assert.That((rig.UsedVram, Svm.MappedPages.Value), Is.EqualTo((0UL, 0UL)));
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
    }

    [Test]
    public void Timeslice_SendsTheCpuAwayUntilItIsOver()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice with { TimesliceNs = 50_000 }).ThrowIfError();
        ulong before = rig.Machine.Clock.NowNs;
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
        Assert.That(rig.Machine.Clock.NowNs - before, Is.EqualTo(50_000));
    }

    [Test]
    public void FindOrInsert_EachRefusal_HasItsCause()
    {
        VirtRange readOnly = rig.Map(64 * KiB, AreaAccess.Read);
        Assert.That(Svm.TryFindOrInsert(new VirtAddr(1UL << 47), default, out _), Is.EqualTo(Errno.EINVAL), "outside of the window");
        Assert.That(Svm.TryFindOrInsert(new VirtAddr(Base), default, out _), Is.EqualTo(Errno.ENOENT), "no area");
        Assert.That(Svm.TryFindOrInsert(readOnly.Start, default, out _), Is.EqualTo(Errno.EPERM), "it may not be written");
        Assert.That(Svm.TryFindOrInsert(readOnly.Start, new SvmRequest { IsReadOnly = true }, out SvmRange? range), Is.EqualTo(Errno.Ok));
        Assert.That(Svm.TryFindOrInsert(readOnly.Start, new SvmRequest { IsReadOnly = true }, out SvmRange? again), Is.EqualTo(Errno.Ok));
        Assert.That((again, $"{range}"), Is.EqualTo((range, $"svm range {range!.Range}")));
        Assert.That(Svm.BlockCount, Is.EqualTo(1), "a block without a range is not watched");
        foreach (ulong nth in (ulong[])[1, 2])
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            VirtRange elsewhere = rig.Map(4 * KiB, at: Base);
            Assert.That(Svm.TryFindOrInsert(elsewhere.Start, default, out _), Is.EqualTo(Errno.ENOMEM));
            rig.Machine.Faults.Clear();
            rig.Space.TryUnmap(elsewhere.Start, elsewhere.Length).ThrowIfError();
        }

        rig.Space.Dispose();
        Assert.That(Svm.TryFindOrInsert(readOnly.Start, default, out _), Is.EqualTo(Errno.EFAULT), "the process has ended");
        Svm.Dispose();
        Assert.That(Svm.TryFindOrInsert(readOnly.Start, default, out _), Is.EqualTo(Errno.ENODEV), "it is closed");
    }

    /// <summary>X2: after a partial munmap neither half keeps pages of the GPU, and the next fault makes a smaller range.</summary>
    [Test]
    public void Unmap_InPart_EndsTheRangeAndBringsTheRestBack()
    {
        VirtRange array = rig.MapFilled(2 * MiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        Assert.That(rig.UsedVram, Is.EqualTo(512));
        rig.Space.TryUnmap(new VirtAddr(Base + MiB), new ByteCount(MiB)).ThrowIfError();
        SvmRange ended = Svm.Ranges[0];
        Assert.That((ended.IsUnmapped, ended.IsPartlyUnmapped, ended.HasPages), Is.EqualTo((true, true, false)));
        Assert.That(Svm.TryGetPages(ended, default), Is.EqualTo(Errno.EFAULT));
        Svm.CollectGarbage();
        Assert.That((rig.UsedVram, Svm.Ranges.Count, Svm.BlockCount), Is.EqualTo((0UL, 0, 0)));
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        Assert.That(Svm.Ranges[0].Range.Length.Value, Is.EqualTo(64 * KiB));
        Assert.That(rig.CpuRead(new VirtRange(array.Start, new ByteCount(MiB))).AsSpan().SequenceEqual(bytes.AsSpan(0, (int)MiB)), Is.True);
    }

    [Test]
    public void Unmap_OfAll_FreesTheGpusMemory()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out _, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        rig.Space.TryUnmap(array.Start, array.Length).ThrowIfError();
        Assert.That(rig.UsedVram, Is.Zero);
        Assert.That(Svm.TryRead(array.Start, new byte[1]), Is.EqualTo(Errno.ENOENT));
        Assert.That(Svm.Ranges, Is.Empty);
    }

    /// <summary>X3: one page that cannot come keeps all of them: EBUSY, and nothing stays on the GPU.</summary>
    [Test]
    public void Migrate_WithAPinnedPage_BringsNothing()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        var pins = new PagePin[1];
        rig.Space.TryPin(new VirtAddr(Base + (20 * KiB)), PinFlags.Write, pins, out _).ThrowIfError();
        using (pins[0])
        {
            Assert.That(Svm.TryMigrateToDevice(range!, default), Is.EqualTo(Errno.EBUSY));
            Assert.That(Svm.TryFault(array.Start, OnDevice), Is.EqualTo(Errno.EBUSY));
            Assert.That(Svm.TryFault(array.Start, ToDevice), Is.EqualTo(Errno.Ok), "where it is only wished, the GPU takes it in RAM");
            Assert.That((rig.UsedVram, rig.Gpu.Gpu.Copier.Counters.Copied.Value), Is.EqualTo((0UL, 0UL)));
        }

        Assert.That((Svm.TryMigrateToDevice(range!, default), rig.UsedVram), Is.EqualTo((Errno.Ok, 16UL)));
        Assert.That(rig.CpuRead(array), Is.EqualTo(bytes));
    }

    [Test]
    public void Migrate_OfWhatNeverComes_IsRefused()
    {
        using MemoryFile file = rig.Machine.Spaces.CreateFile();
        file.TryResize(new ByteCount(64 * KiB)).ThrowIfError();
        var traits = new AreaTraits(AreaKind.FileShared, AreaAccess.ReadWrite) { Backing = file };
        rig.Space.TryMap(new AreaRequest(new ByteCount(64 * KiB), traits), out VirtRange placed).ThrowIfError();
        Svm.TryFindOrInsert(placed.Start, default, out SvmRange? range).ThrowIfError();
        Assert.That((range!.CanMigrate, Svm.TryMigrateToDevice(range, default)), Is.EqualTo((false, Errno.EBUSY)));
        Assert.That(Svm.TryFault(placed.Start, OnDevice), Is.EqualTo(Errno.EBUSY));
        Svm.TryWrite(placed.Start, [42]).ThrowIfError();
        byte[] read = new byte[1];
        Assert.That((file.Read(ByteCount.Zero, read), read[0]), Is.EqualTo((1, 42)));
    }

    [Test]
    public void Mixed_IsRefusedAndAllowed()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        Svm.TryMigrateToDevice(range!, default).ThrowIfError();
        rig.Space.TryDropPages(array.Start, new ByteCount(4 * KiB)).ThrowIfError();
        Assert.That(rig.Space.Write(array.Start, [7]), Is.EqualTo(FaultResult.Done), "a page of RAM, beside 15 on the GPU");
        Assert.That(Svm.TryGetPages(range!, default), Is.EqualTo(Errno.EOPNOTSUPP));
        Assert.That(Svm.TryGetPages(range!, new SvmRequest { AllowsMixed = true }), Is.EqualTo(Errno.Ok));
        Assert.That((range!.MappedBytes.Value, Svm.AreValid(range, default)), Is.EqualTo((4 * KiB, true)));
        Svm.UnmapPages(range);
        Assert.That(Svm.AreValid(range, default), Is.False);
        bytes.AsSpan(0, 4096).Clear();
        bytes[0] = 7;
        Svm.Policy = ToDevice;
        Assert.That(rig.GpuRead(array), Is.EqualTo(bytes), "a fault brings all of it to one place");
        Assert.That((rig.UsedVram, range.MappedBytes.Value), Is.EqualTo((16UL, 0UL)));
    }

    /// <summary>X4, museum 28: a range that starts inside a huge page maps its own bytes and no more.</summary>
    [Test]
    public void Range_InsideAHugePage_MapsItsOwnBytesAlone([Values] bool hasTheFault)
    {
        rig.MapFilled(2 * MiB, out byte[] bytes, Base, isHuge: true);
        using var small = new SmallRanges(rig);
        small.Svm.CountsFromMappingStart = hasTheFault;
        for (ulong at = Base; at < Base + (2 * MiB); at += 256 * KiB)
        {
            small.Svm.TryFault(new VirtAddr(at), default).ThrowIfError();
        }

        bool isInside = small.Svm.Ranges.All(static range => range.MappedBytes <= range.Range.Length);
        Assert.That((small.Svm.Ranges.Count, isInside), Is.EqualTo((8, !hasTheFault)));
        if (!hasTheFault)
        {
            byte[] read = new byte[2 * MiB];
            small.Svm.TryRead(new VirtAddr(Base), read).ThrowIfError();
            Assert.That(read.AsSpan().SequenceEqual(bytes), Is.True);
        }
    }

    [Test]
    public void Fork_LeavesBothWithTheirBytes()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        rig.Space.TryFork(out AddressSpace? child).ThrowIfError();
        using (child)
        {
            Svm.TryWrite(array.Start, [99]).ThrowIfError();
            byte[] seen = new byte[1];
            Assert.That((child!.Read(array.Start, seen), seen[0]), Is.EqualTo((FaultResult.Done, bytes[0])), "the child's copy is its own");
        }

        Assert.That(rig.CpuRead(new VirtRange(array.Start, new ByteCount(1))), Is.EqualTo((byte[])[99]));
    }

    [Test]
    public void Pressure_ByBuffersAndRanges_GoesThroughOneAllocator()
    {
        VirtRange array = rig.MapFilled(2 * MiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        using GpuObject buffer = rig.Gpu.Create(500); // 768 hidden pages: the range must leave
        Assert.That((rig.UsedVram, buffer.Place), Is.EqualTo((500UL, GpuPlaces.HiddenVram)));
        Svm.Policy = OnDevice;
        Assert.That(rig.GpuRead(new VirtRange(array.Start, new ByteCount(1))), Is.EqualTo((byte[])[bytes[0]]));
        Assert.That((rig.UsedVram, buffer.Place), Is.EqualTo((512UL, GpuPlaces.Ram)), "and now the buffer");
        buffer.TryBeginWork(SyncAccess.Read, out GpuWork? work, timeoutNs: 0).ThrowIfError();
        work!.Dispose();
        Assert.That(rig.CpuRead(array).AsSpan().SequenceEqual(bytes), Is.True);
    }

    [Test]
    public void Remove_WithMemoryOnTheGpu_BringsItHome()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        Assert.That(rig.Gpu.Ledger().Select(static entry => entry.Kind), Is.EqualTo((HoldingKind[])[HoldingKind.Handle, HoldingKind.Page]));
        rig.Gpu.Gpu.Remove();
        Assert.That((rig.CpuRead(array), rig.UsedVram, rig.Gpu.Ledger().Count), Is.EqualTo((bytes, 0UL, 0)));
        Assert.That(Svm.TryFault(array.Start, ToDevice), Is.EqualTo(Errno.ENODEV));
        Assert.That(rig.Gpu.Gpu.TryOpen(rig.Space, new SvmOptions(), out _), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Remove_WithAPageThatCannotGoHome_EndsItsCpusWithASignal()
    {
        VirtRange array = rig.MapFilled(4 * KiB, out _, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        rig.Machine.Faults.FailNth(FaultPoint.PageAlloc, 1, 1000);
        rig.Gpu.Gpu.Remove();
        rig.Machine.Faults.Clear();
        Assert.That((rig.UsedVram, rig.Space.Read(array.Start, new byte[1])), Is.EqualTo((1UL, FaultResult.BusError)));
        rig.Space.Dispose();
        Assert.That(rig.UsedVram, Is.Zero, "late returns are taken");
    }

    [Test]
    public void Reset_DropsTheGpusTableAndNoByte()
    {
        VirtRange array = rig.MapFilled(64 * KiB, out byte[] bytes, Base);
        Svm.TryFault(array.Start, OnDevice).ThrowIfError();
        rig.Gpu.Gpu.Reset();
        Assert.That((Svm.MappedPages.Value, rig.UsedVram), Is.EqualTo((0UL, 16UL)));
        Assert.That(rig.GpuRead(array), Is.EqualTo(bytes));
        rig.Gpu.Gpu.EvictProcesses();
        Assert.That((rig.UsedVram, rig.CpuRead(array)), Is.EqualTo((0UL, bytes)));
    }

    [Test]
    public void Options_WithIllegalChunks_AreRefused()
    {
        SvmOptions[] illegal =
        [
            new() { Chunks = [] },
            new() { Chunks = [ByteCount.FromKiB(64)] },
            new() { Chunks = [ByteCount.FromKiB(4), ByteCount.FromKiB(64), ByteCount.FromKiB(4)] },
            new() { Chunks = [ByteCount.FromKiB(12), ByteCount.FromKiB(4)] },
            new() { BlockLength = ByteCount.FromKiB(64) },
        ];
        foreach (SvmOptions options in illegal)
        {
            Assert.That(rig.Gpu.Gpu.TryOpen(rig.Space, options, out _), Is.EqualTo(Errno.EINVAL));
        }
    }

    [Test]
    public void GetPages_OfMemoryThatOthersChangeAllTheTime_GivesUpInTime()
    {
        var points = new Disturbance();
        using var disturbed = new SvmRig(points: points);
        VirtRange array = disturbed.MapFilled(4 * KiB, out _, Base);
        disturbed.Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        int rounds = 0;
        points.OnPages = () =>
        {
            disturbed.Machine.Clock.AdvanceNs(disturbed.Svm.Options.RetryNs / 4);
            AreaAccess access = ++rounds % 2 == 0 ? AreaAccess.ReadWrite : AreaAccess.Read;
            if (rounds < 100)
            {
                disturbed.Space.TryProtect(array.Start, array.Length, access).ThrowIfError();
            }
        };
        Assert.That(disturbed.Svm.TryGetPages(range!, new SvmRequest { IsReadOnly = true }), Is.EqualTo(Errno.EBUSY));
        Assert.That(rounds, Is.EqualTo(5), "four quarters of the time, and one round more");
    }

    // What others do each time that pages were read.
    private sealed class Disturbance : IYieldPoints
    {
        internal Action? OnPages { get; set; }

        public void Reach(string point)
        {
            if (point == "svm-pages")
            {
                OnPages?.Invoke();
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => SpinWait.SpinUntil(isReady);
    }

    // The same process, with ranges of 256 KiB at most.
    private sealed class SmallRanges : IDisposable
    {
        internal SmallRanges(SvmRig rig)
        {
            var options = new SvmOptions { Chunks = [ByteCount.FromKiB(256), ByteCount.FromKiB(4)] };
            rig.Gpu.Gpu.TryOpen(rig.Space, options, out GpuSvm? svm).ThrowIfError();
            Svm = svm!;
        }

        internal GpuSvm Svm { get; }

        public void Dispose() => Svm.Dispose();
    }
}
