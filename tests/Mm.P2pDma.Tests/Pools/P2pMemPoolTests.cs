using Mm.Core;
using Mm.P2pDma.Pools;
using Mm.P2pDma.Providers;
using static Mm.P2pDma.Tests.PciRig;

namespace Mm.P2pDma.Tests.Pools;

public sealed partial class P2pMemPoolTests
{
    [Test]
    public void TryAllocate_OddSize_TakesWholePagesFromTheStart()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using P2pMemory first = Take(pool, 1);
        using P2pMemory second = Take(pool, 0x1001);
        Assert.That(first.Range, Is.EqualTo(Range(NvmeBar.Start.Value, 1)));
        Assert.That(second.Pages, Is.EqualTo(Range(NvmeBar.Start.Value + 0x1000, 0x2000)));
        Assert.That(pool.Available.Value, Is.EqualTo(NvmeBar.Length.Value - 0x3000));
        Assert.That(first.BusAddress.Value, Is.EqualTo(NvmeBar.Start.Value - (BusOffset / 16)));
    }

    [Test]
    public void TryAllocate_TwoStretches_SearchesTheNewerOneFirst()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig, 0x20_0000, 0x40_0000);
        rig.System.Pools.TryAddResource(Nvme, 0, new ByteCount(0x20_0000), ByteCount.Zero, out _).ThrowIfError();
        using P2pMemory newer = Take(pool, 0x20_0000);
        using P2pMemory older = Take(pool, 0x1000);
        Assert.That(newer.Range.Start, Is.EqualTo(NvmeBar.Start));
        Assert.That(older.Range.Start.Value, Is.EqualTo(NvmeBar.Start.Value + 0x40_0000));
    }

    [Test]
    public void TryAllocate_Full_IsENOMEM()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        using P2pMemory all = Take(pool, NvmeBar.Length.Value);
        Assert.That(pool.TryAllocate(new ByteCount(1), out P2pMemory? none), Is.EqualTo(Errno.ENOMEM));
        Assert.That(none, Is.Null);
    }

    [Test]
    public void TryAllocate_NothingOrTooMuch_IsENOMEM([Values(0UL, (16UL << 20) + 1, ulong.MaxValue)] ulong size)
    {
        using var rig = new PciRig();
        Assert.That(Pool(rig).TryAllocate(new ByteCount(size), out _), Is.EqualTo(Errno.ENOMEM));
    }

    [Test]
    public void TryAllocate_FaultInjected_IsENOMEMAndTakesNothing()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        rig.Machine.Faults.FailNth(P2pMemPool.AllocateFault, 1);
        Assert.That(pool.TryAllocate(new ByteCount(1), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(pool.Available, Is.EqualTo(pool.Size));
    }

    [Test]
    public void TryAllocate_PagemapDying_IsENODEVAndTakesNothing()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        PeerPagemap map = rig.System.Pagemaps.Collect()[0];
        map.Kill();
        Assert.That(pool.TryAllocate(new ByteCount(1), out _), Is.EqualTo(Errno.ENODEV));
        Assert.That((pool.Available, map.IsDead), Is.EqualTo((pool.Size, true)));
    }

    [Test]
    public void TryAllocate_AfterUnbind_IsENODEVAndThePagemapWaitsForTheLastLease()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        P2pMemory held = Take(pool, 0x3000);
        rig.System.TryUnbind(Nvme).ThrowIfError();
        Assert.That((pool.TryAllocate(new ByteCount(1), out _), pool.IsPublished), Is.EqualTo((Errno.ENODEV, false)));
        Assert.That((held.Pagemap.IsLive, held.Pagemap.IsDead), Is.EqualTo((false, false)));
        Assert.That(Add(rig, 0, 0), Is.EqualTo(Errno.EEXIST), "its addresses are not given a second time before");
        held.Dispose();
        Assert.That(held.Pagemap.IsDead, Is.True);
        Assert.That(Add(rig, 0, 0), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Dispose_Twice_GivesBackOnce()
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig);
        P2pMemory memory = Take(pool, 0x1000);
        memory.Dispose();
        memory.Dispose();
        Assert.That((pool.Available, memory.Pagemap.References, memory.IsHeld), Is.EqualTo((pool.Size, 0L, false)));
    }

    // First fit against a naive array of pages. Bits: 0-6 pages, 7 free instead, 8-15 which.
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public bool RandomTakesAndGives_AgreeWithNaiveFirstFit(ushort[] steps)
    {
        using var rig = new PciRig();
        P2pMemPool pool = Pool(rig, 0x20_0000, 0);
        bool[] taken = new bool[512];
        var live = new List<P2pMemory>();
        foreach (ushort step in steps)
        {
            int pages = (step & 0x7f) + 1;
            if ((step & 0x80) != 0 && live.Count != 0)
            {
                P2pMemory gone = live[(step >> 8) % live.Count];
                _ = live.Remove(gone);
                Span(taken, gone).Clear();
                gone.Dispose();
                continue;
            }

            int expected = NaiveFirstFit(taken, pages);
            Errno errno = pool.TryAllocate(new PageCount((ulong)pages).ToBytes(), out P2pMemory? memory);
            bool agrees = expected < 0
                ? errno == Errno.ENOMEM
                : errno.IsOk && memory!.Range.Start.Value == NvmeBar.Start.Value + ((ulong)expected << 12);
            if (!agrees)
            {
                return false;
            }

            if (memory is not null)
            {
                live.Add(memory);
                Span(taken, memory).Fill(true);
            }

            pool.Validate();
        }

        return pool.Available.Value == (ulong)taken.Count(static page => !page) << 12;
    }

    private static int NaiveFirstFit(bool[] taken, int pages)
    {
        for (int start = 0; start + pages <= taken.Length; start++)
        {
            if (!taken.AsSpan(start, pages).Contains(true))
            {
                return start;
            }
        }

        return -1;
    }

    private static Span<bool> Span(bool[] taken, P2pMemory memory) => taken.AsSpan(
        (int)((memory.Pages.Start.Value - NvmeBar.Start.Value) >> 12), (int)(memory.Pages.Length.Value >> 12));

    private static P2pMemory Take(P2pMemPool pool, ulong size)
    {
        pool.TryAllocate(new ByteCount(size), out P2pMemory? memory).ThrowIfError();
        return memory!;
    }

    private static Errno Add(PciRig rig, ulong size, ulong offset) =>
        rig.System.Pools.TryAddResource(Nvme, 0, new ByteCount(size), new ByteCount(offset), out _);

    private static P2pMemPool Pool(PciRig rig, ulong size = 0, ulong offset = 0)
    {
        Add(rig, size, offset).ThrowIfError();
        _ = rig.System.Pools.TryFind(Nvme, out P2pMemPool? pool);
        return pool!;
    }
}
