using Mm.Conformance.DmaBuf;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Conformance.Tests.DmaBuf;

/// <summary>A program that gets one rule wrong.</summary>
internal sealed class WrongDmaBufProgram(DmaBufTwist twist) : DmaBufProgram
{
    private const ulong Page = 4096;

    private readonly HashSet<ulong> begun = [];

    public override Errno Advance(ulong slot, uint by) => twist switch
    {
        DmaBufTwist.AdvanceByOneMore => base.Advance(slot, by + 1),
        DmaBufTwist.TimelineStaysAtZero => Errno.Ok,
        _ => base.Advance(slot, by),
    };

    public override Errno CloseTimeline(ulong slot) =>
        twist == DmaBufTwist.ClosedTimelineLeavesFencesPending ? Errno.Ok : base.CloseTimeline(slot);

    public override Errno CreateFence(ulong slot, ulong timeline, uint value) =>
        base.CreateFence(slot, timeline, twist == DmaBufTwist.ValuesDoNotWrap && value > int.MaxValue ? int.MaxValue : value);

    public override Errno Merge(ulong slot, ulong first, ulong second) =>
        base.Merge(slot, first, twist == DmaBufTwist.MergeTakesTheFirstOnly ? first : second);

    public override Errno Describe(ulong slot, out SyncFileInfo whole, out SyncFenceInfo[] each)
    {
        Errno errno = base.Describe(slot, out whole, out each);
        if (twist == DmaBufTwist.WholeTellsTheFailureOfEach && whole.Status.IsSignaled
            && Array.Find(each, static one => !one.Status.Error.IsOk) is { Status.IsSignaled: true } failed)
        {
            whole = whole with { Status = failed.Status };
        }

        return errno;
    }

    public override Errno IsReady(ulong slot, out bool isReady)
    {
        if (twist != DmaBufTwist.WaitAsksWithoutEnabling)
        {
            return base.IsReady(slot, out isReady);
        }

        Errno errno = base.Describe(slot, out SyncFileInfo whole, out _);
        isReady = whole.Status.IsSignaled;
        return errno;
    }

    public override Errno ImportFence(ulong buffer, ulong fence, SyncAccess access) => base.ImportFence(buffer, fence, twist switch
    {
        DmaBufTwist.ImportOfAWriteIsARead when access == SyncAccess.Write => SyncAccess.Read,
        DmaBufTwist.ImportOfAReadIsAWrite when access == SyncAccess.Read => SyncAccess.Write,
        DmaBufTwist.ImportOfBothIsARead when access == (SyncAccess.Read | SyncAccess.Write) => SyncAccess.Read,
        DmaBufTwist.ImportOfNothingIsTaken when access == SyncAccess.None => SyncAccess.Read,
        _ => access,
    });

    public override Errno ExportFence(ulong slot, ulong buffer, SyncAccess access) => base.ExportFence(slot, buffer, twist switch
    {
        DmaBufTwist.ExportForAReaderWaitsForReaders when access == SyncAccess.Read => SyncAccess.Write,
        DmaBufTwist.ExportForAWriterWaitsForWritersOnly when access == SyncAccess.Write => SyncAccess.Read,
        _ => access,
    });

    public override Errno Poll(ulong buffer, out SyncAccess ready)
    {
        Errno errno = base.Poll(buffer, out ready);
        ready = twist switch
        {
            DmaBufTwist.ReadyToWriteWhenReadable when ready == SyncAccess.Read => SyncAccess.Read | SyncAccess.Write,
            DmaBufTwist.ReadyToReadWhenWritable when ready == SyncAccess.Read => SyncAccess.None,
            _ => ready,
        };
        return errno;
    }

    public override Errno Sync(ulong buffer, CpuAccessFlags flags)
    {
        bool ends = (flags & CpuAccessFlags.End) != CpuAccessFlags.None;
        if (twist == DmaBufTwist.UnknownAccessFlagsAreIgnored)
        {
            flags &= (CpuAccessFlags)7;
        }

        if (twist == DmaBufTwist.BeginningIsForgotten && !ends && begun.Add(buffer))
        {
            return base.Sync(buffer, flags) == Errno.EINVAL ? Errno.EINVAL : Errno.Ok;
        }

        if (twist == DmaBufTwist.BeginningIsForgotten && ends && begun.Contains(buffer))
        {
            return Errno.EINVAL;
        }

        Errno errno = base.Sync(buffer, flags);
        bool isLegal = ((int)flags & ~7) == 0 && ((int)flags & 3) != 0;
        return twist == DmaBufTwist.EndNeedsNoBeginning && ends && isLegal ? Errno.Ok : errno;
    }

    public override Errno CreateUdmabuf(ulong slot, PageCount filePages, FileSeals seals, ByteCount offset, ByteCount size) => twist switch
    {
        DmaBufTwist.ShrinkSealIsNotWanted => base.CreateUdmabuf(slot, filePages, seals | FileSeals.Shrink, offset, size),
        DmaBufTwist.WriteSealIsTaken => base.CreateUdmabuf(slot, filePages, seals & ~FileSeals.Write, offset, size),
        DmaBufTwist.OffsetIsRoundedDown => base.CreateUdmabuf(slot, filePages, seals, Down(offset), size),
        DmaBufTwist.SizeIsRoundedUp => base.CreateUdmabuf(slot, filePages, seals, offset, size.ToPagesRoundUp().ToBytes()),
        DmaBufTwist.FileIsAsLongAsNeeded => base.CreateUdmabuf(slot, new PageCount(64), seals, offset, size),
        _ => base.CreateUdmabuf(slot, filePages, seals, offset, size),
    };

    public override Errno CreateHeapBuffer(ulong slot, ByteCount size, ulong flags) => twist switch
    {
        DmaBufTwist.HeapFlagsAreIgnored => base.CreateHeapBuffer(slot, size, 0),
        DmaBufTwist.HeapLengthIsRoundedDown when size.Value > Page => base.CreateHeapBuffer(slot, Down(size), flags),
        _ => base.CreateHeapBuffer(slot, size, flags),
    };

    public override Errno Map(ulong buffer, PageCount first, PageCount count, out ByteCount size) => twist switch
    {
        DmaBufTwist.MapReachesOnePageFurther when count.Value > 0 =>
            base.Map(buffer, first, new PageCount(count.Value - 1), out size),
        DmaBufTwist.MapBeginsAtZero => base.Map(buffer, PageCount.Zero, count, out size),
        _ => base.Map(buffer, first, count, out size),
    };

    public override Errno Seek(ulong buffer, long distance, int whence, out ByteCount at)
    {
        Errno errno = twist switch
        {
            DmaBufTwist.SeekFromHereIsFromTheBeginning when whence == 1 => base.Seek(buffer, distance, 0, out at),
            DmaBufTwist.SeekTakesDistances => base.Seek(buffer, 0, whence, out at),
            _ => base.Seek(buffer, distance, whence, out at),
        };
        at = twist == DmaBufTwist.SeekToTheEndIsZero ? ByteCount.Zero : at;
        return errno;
    }

    private static ByteCount Down(ByteCount bytes) => bytes.ToPagesRoundDown().ToBytes();
}
