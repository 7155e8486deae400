using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A process with one range of 2 MiB, perhaps a child of it, and what both must see of each page.</summary>
internal sealed class LargePageRun : IDisposable
{
    internal const int Pages = 512;

    private const ulong RamMiB = 16;
    private const byte Poison = 0xDB;

    private readonly List<PageRef> pieces = [];
    private string? stale;

    internal LargePageRun(ulong deviceMiB)
    {
        Rig = new MirrorRig(MirrorMemoryKind.Private, deviceMiB, hasOwnEngines: true, LinuxProfile.V619, RamMiB);
        foreach (MirrorDevice device in Rig.Devices)
        {
            Fill(device);
        }

        Range = Rig.MapHuge();
        Parent = new Process(Rig.Space, new byte[Pages * PageBytes], [.. Enumerable.Range(0, Pages).Select(page => (VirtAddr?)At(page))]);
    }

    internal MirrorRig Rig { get; }

    internal VirtRange Range { get; }

    internal Process Parent { get; }

    internal Process? Child { get; private set; }

    internal VirtAddr At(int page) => Part(Range, page).Start;

    internal void Write()
    {
        Words(Pages, first: 1).CopyTo(Parent.Wanted, 0);
        Rig.Write(Range, Parent.Wanted);
    }

    internal bool IsLeaf()
    {
        _ = Rig.Space.Tables.ReadLeaf(Range.Start, out PageSize size);
        return size == PageSize.Large;
    }

    internal bool TryFork()
    {
        Errno errno = Rig.Space.TryFork(out AddressSpace? child);
        Assert.That(errno, Is.EqualTo(Errno.Ok).Or.EqualTo(Errno.ENOMEM));
        Child = child is null ? null : new Process(child, [.. Parent.Wanted], [.. Parent.Places]);
        return errno.IsOk;
    }

    internal bool TryUnmap(Process process, int first, int pages)
    {
        Errno errno = process.Space.TryUnmap(At(first), new PageCount((ulong)pages).ToBytes());
        process.Places.AsSpan(first, errno.IsOk ? pages : 0).Clear();
        return errno.IsOk;
    }

    internal bool TryMove(int first, int pages, bool isAligned = false)
    {
        var length = new PageCount((ulong)pages).ToBytes();
        VirtAddr to = FreePlace(isAligned);
        Errno errno = Rig.Space.TryMove(new AreaMove(At(first), length, length) { MayMove = true, To = to }, out VirtRange moved);
        for (int page = 0; page < pages && errno.IsOk; page++)
        {
            Parent.Places[first + page] = Part(moved, page).Start;
        }

        return errno.IsOk;
    }

    internal bool TryDrop(int first, int pages)
    {
        Errno errno = Rig.Space.TryDropPages(At(first), new PageCount((ulong)pages).ToBytes());
        Parent.Wanted.AsSpan(first * PageBytes, errno.IsOk ? pages * PageBytes : 0).Clear();
        return errno.IsOk;
    }

    /// <summary>A process reads some of its pages: it sees the right bytes, or gets a signal.</summary>
    internal bool TryRead(Process process, int first, int pages)
    {
        bool isDone = true;
        byte[] bytes = new byte[PageBytes];
        for (int page = first; page < first + pages; page++)
        {
            VirtAddr at = process.Places[page]!.Value;
            bool isRead = IsDone(process, at, process.Space.Read(at, bytes));
            isDone &= isRead;
            Note(process, page, bytes, isRead);
        }

        return isDone;
    }

    /// <summary>A process writes into some of its pages, or gets a signal.</summary>
    internal bool TryWrite(Process process, int first, int pages)
    {
        bool isDone = true;
        for (int page = first; page < first + pages; page++)
        {
            byte[] eight = [9, 8, 7, 6, 5, 4, 3, (byte)(page % 251)];
            VirtAddr at = process.Places[page]!.Value;
            bool isWritten = IsDone(process, at, process.Space.Write(at, eight));
            isDone &= isWritten;
            eight.AsSpan(0, isWritten ? eight.Length : 0).CopyTo(process.Wanted.AsSpan(page * PageBytes));
        }

        return isDone;
    }

    /// <summary>A device reads all that is mapped.</summary>
    internal bool TryReadBy(DeviceMirror mirror)
    {
        byte[] bytes = new byte[Pages * PageBytes];
        Errno errno = mirror.TryRead(Range, bytes, out MirrorTransfer done);
        for (int page = 0; page < (int)done.Pages.Value; page++)
        {
            Note(Parent, page, bytes.AsSpan(page * PageBytes, PageBytes), isSeen: true);
        }

        return errno.IsOk;
    }

    internal bool TryWriteByDevice()
    {
        byte[] bytes = Words(Pages, first: 4);
        Errno errno = Rig.Mirror.TryWrite(Range, bytes, out MirrorTransfer done);
        bytes.AsSpan(0, (int)done.Pages.ToBytes().Value).CopyTo(Parent.Wanted);
        return errno.IsOk;
    }

    /// <summary>Leaves RAM without two free pages side by side.</summary>
    internal void ShatterRam()
    {
        while (Rig.Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef page).IsOk)
        {
            pieces.Add(page);
        }

        foreach (PageRef page in pieces.Where(IsEven))
        {
            page.Dispose();
        }

        pieces.RemoveAll(page => IsEven(page));
    }

    /// <summary>What is wrong with what the device and the processes see now that nothing fails any more.</summary>
    internal string? FindStale()
    {
        Process[] all = Child is null ? [Parent] : [Parent, Child];
        Array.ForEach(all, CheckFrames);
        byte[] bytes = new byte[PageBytes];
        for (int page = 0; page < Pages; page++)
        {
            bool isMapped = Parent.Places[page] is { } at
                && Rig.Mirror.TryReadMapped(new VirtRange(at, PageSize.Small.Bytes), bytes, out _).IsOk;
            Note(Parent, page, bytes, isMapped);
        }

        foreach (Process process in all)
        {
            for (int page = 0; page < Pages; page++)
            {
                bool isRight = process.Places[page] is null || TryRead(process, page, 1);
                stale ??= isRight ? null : $"page {page} cannot be read";
            }
        }

        Array.ForEach(all, CheckFrames);
        return stale;
    }

    /// <summary>All of it to the device again, as far as it goes: what a failure has left behind comes to light.</summary>
    internal void MoveAgain()
    {
        foreach (VirtAddr at in Parent.Places.OfType<VirtAddr>().Where(at => at.IsAligned(PageSize.Large)))
        {
            _ = Rig.Mirror.TryMigrateToDevice(new VirtRange(at, PageSize.Large.Bytes), out _);
        }
    }

    public void Dispose()
    {
        foreach (PageRef page in pieces)
        {
            page.Dispose();
        }

        Child?.Space.Dispose();
        Rig.Dispose();
    }

    private static bool IsEven(PageRef page) => page.Page.Value % 2 == 0;

    private static void Fill(MirrorDevice device)
    {
        PfnRange frames = device.Memory.Ranges[0];
        for (ulong first = 0; first < frames.Count.Value; first += PageSize.Large.Pages.Value)
        {
            device.Bytes.TryLease(new Pfn(frames.Start.Value + first), PageSize.Large, out SpanLease lease).ThrowIfError();
            lease.Bytes.Fill(Poison);
            lease.Dispose();
        }
    }

    // Room for 2 MiB, on a boundary of 2 MiB or off it.
    private VirtAddr FreePlace(bool isAligned)
    {
        VirtRange room = Rig.Map(3 * Pages);
        Rig.Space.TryUnmap(room.Start, room.Length).ThrowIfError();
        VirtAddr aligned = room.Start.AddChecked(PageSize.Large.Bytes).AlignDown(PageSize.Large);
        return isAligned ? aligned : aligned.AddChecked(PageSize.Small.Bytes);
    }

    // A signal is for a page that could not be brought home, never for one that lies there.
    private static bool IsDone(Process process, VirtAddr at, FaultResult result)
    {
        bool isLost = result == FaultResult.BusError;
        if (isLost && process.Space.Tables.ReadLeaf(at, out _).IsPresent)
        {
            Assert.Fail($"{at} is in RAM, and a signal was sent for it");
        }

        return result == FaultResult.Done;
    }

    // An assertion for each page takes NUnit longer than all the rest.
    private void CheckFrames(Process process)
    {
        foreach (VirtAddr at in process.Places.OfType<VirtAddr>())
        {
            Pte entry = process.Space.Tables.Read(at);
            if (!entry.HasFrame || entry.IsZeroPage)
            {
                continue;
            }

            bool isListed = entry.IsDevicePrivate || Rig.Machine.Spaces.Migration.IsListed(entry.Frame);
            if (entry.IsMigration || process.Space.PageLocks.IsLocked(entry.Frame) || !isListed)
            {
                Assert.Fail($"{entry} at {at} is on its way, locked, or on no list");
            }
        }
    }

    // Remembers the first page that somebody saw with wrong bytes.
    private void Note(Process process, int page, ReadOnlySpan<byte> bytes, bool isSeen)
    {
        if (isSeen && !bytes.SequenceEqual(process.Wanted.AsSpan(page * PageBytes, PageBytes)))
        {
            string whose = process == Parent ? "parent" : "child";
            stale ??= $"page {page} of the {whose} was seen with wrong bytes, {bytes[0]:x2} to {bytes[^1]:x2}";
        }
    }

    /// <summary>What a process must see: bytes, and where each page lies; null for one that is unmapped.</summary>
    internal sealed record Process(AddressSpace Space, byte[] Wanted, VirtAddr?[] Places);
}
