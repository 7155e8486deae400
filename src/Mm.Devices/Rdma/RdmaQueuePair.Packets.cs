using System.Buffers.Binary;
using Mm.Core;

namespace Mm.Devices.Rdma;

/// <content>What a packet does: looks the keys up, reads here, writes there.</content>
public sealed partial class RdmaQueuePair
{
    private const RegionAccess NoRight = RegionAccess.None;

    /// <summary>Sends one packet of the first work that waits. Called with the wire's lock held.</summary>
    /// <returns>Whether there was work.</returns>
    internal bool SendPacket()
    {
        if (State != QueuePairState.Ready || !sends.TryPeek(out WorkRequest? work))
        {
            return false;
        }

        WorkStatus status = peer!.State == QueuePairState.Ready ? Send(work) : WorkStatus.RetryExceeded;
        if (status != WorkStatus.Success || moved == work.Length)
        {
            End(work, status);
        }

        return true;
    }

    // Both ends' work is completed before either end fails and flushes: they may be one and the same.
    private void End(WorkRequest work, WorkStatus status)
    {
        ulong bytes = status == WorkStatus.Success ? moved : 0;
        moved = 0;
        bool isPeerFine = work.Opcode != WorkOpcode.Send
            ? status is not (WorkStatus.RemoteInvalidRequest or WorkStatus.RemoteAccessError)
            : ReceiveStatus(status) is not { } end || peer!.TryComplete(peer.receives, peer.receivesDone, end, bytes);
        if (!TryComplete(sends, sendsDone, status, bytes))
        {
            Fail();
        }

        if (!isPeerFine)
        {
            peer!.Fail(); // what a responder refuses puts it into error, too
        }
    }

    // How the receive ends that a send went into; null where it took none.
    private static WorkStatus? ReceiveStatus(WorkStatus ofSend) => ofSend switch
    {
        WorkStatus.Success => WorkStatus.Success,
        WorkStatus.RemoteInvalidRequest => WorkStatus.LocalLengthError,
        WorkStatus.RemoteOperationError => WorkStatus.LocalProtectionError,
        _ => null,
    };

    private WorkStatus Send(WorkRequest work)
    {
        if (moved == 0)
        {
            WorkStatus start = CheckStart(work);
            if (start != WorkStatus.Success)
            {
                return start;
            }
        }

        Span<byte> packet = Nic.Packet.AsSpan(0, (int)Math.Min(work.Length - moved, (ulong)Nic.Packet.Length));
        WorkStatus status = work.Opcode switch
        {
            WorkOpcode.Write => Push(work, packet),
            WorkOpcode.Send => PushToReceive(work, packet),
            WorkOpcode.Read => Pull(work, packet),
            _ => DoAtomic(work, packet),
        };
        moved += status == WorkStatus.Success ? (ulong)packet.Length : 0;
        return status;
    }

    private WorkStatus CheckStart(WorkRequest work)
    {
        if (work.Opcode == WorkOpcode.Send)
        {
            return CheckReceive(work);
        }

        bool isAtomic = work.Opcode is WorkOpcode.CompareSwap or WorkOpcode.FetchAdd;
        if (isAtomic && work.RemoteAddress.Value % 8 != 0)
        {
            return WorkStatus.RemoteInvalidRequest;
        }

        RegionAccess right = work.Opcode switch
        {
            WorkOpcode.Read => RegionAccess.RemoteRead,
            WorkOpcode.Write => RegionAccess.RemoteWrite,
            _ => RegionAccess.RemoteAtomic,
        };
        MemoryRegion? region = peer!.FindRegion(work.RemoteKey);
        bool isFit = work.Length == 0 || (region is not null && region.Allows(work.RemoteAddress, new ByteCount(work.Length), right));
        return isFit ? WorkStatus.Success : WorkStatus.RemoteAccessError;
    }

    private WorkStatus CheckReceive(WorkRequest work)
    {
        if (!peer!.receives.TryPeek(out WorkRequest? receive))
        {
            return WorkStatus.ReceiverNotReady;
        }

        return receive.Length >= work.Length ? WorkStatus.Success : WorkStatus.RemoteInvalidRequest;
    }

    private WorkStatus Push(WorkRequest work, Span<byte> packet)
    {
        WorkStatus local = TryMoveLocal(work, moved, packet, isWrite: false);
        return local == WorkStatus.Success ? TryMoveRemote(work, packet, isWrite: true) : local;
    }

    private WorkStatus PushToReceive(WorkRequest work, Span<byte> packet)
    {
        WorkStatus local = TryMoveLocal(work, moved, packet, isWrite: false);
        if (local != WorkStatus.Success)
        {
            return local;
        }

        WorkStatus there = peer!.TryMoveLocal(peer.receives.Peek(), moved, packet, isWrite: true);
        return there == WorkStatus.Success ? WorkStatus.Success : WorkStatus.RemoteOperationError;
    }

    private WorkStatus Pull(WorkRequest work, Span<byte> packet)
    {
        WorkStatus remote = TryMoveRemote(work, packet, isWrite: false);
        return remote == WorkStatus.Success ? TryMoveLocal(work, moved, packet, isWrite: true) : remote;
    }

    // Atomic among all that goes over the wire, as IB_ATOMIC_HCA promises; not towards CPUs.
    private WorkStatus DoAtomic(WorkRequest work, Span<byte> packet)
    {
        WorkStatus status = TryMoveRemote(work, packet, isWrite: false);
        if (status != WorkStatus.Success)
        {
            return status;
        }

        ulong before = BinaryPrimitives.ReadUInt64LittleEndian(packet);
        ulong after = work.Opcode == WorkOpcode.FetchAdd
            ? unchecked(before + work.CompareOrAdd) // wraps, as the device's adder does
            : before == work.CompareOrAdd ? work.Swap : before;
        Span<byte> word = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(word, after);
        status = TryMoveRemote(work, word, isWrite: true);
        return status == WorkStatus.Success ? TryMoveLocal(work, 0, packet, isWrite: true) : status;
    }

    private WorkStatus TryMoveRemote(WorkRequest work, Span<byte> packet, bool isWrite)
    {
        MemoryRegion? region = peer!.FindRegion(work.RemoteKey);
        VirtAddr at = work.RemoteAddress.AddChecked(new ByteCount(moved));
        bool isDone = region is not null && region.TryAccess(at, packet, isWrite).IsOk;
        return isDone ? WorkStatus.Success : WorkStatus.RemoteAccessError;
    }

    private WorkStatus TryMoveLocal(WorkRequest work, ulong offset, Span<byte> packet, bool isWrite)
    {
        foreach (LocalPiece piece in work.Pieces)
        {
            if (offset >= piece.Length.Value)
            {
                offset -= piece.Length.Value;
                continue;
            }

            int here = (int)Math.Min((ulong)packet.Length, piece.Length.Value - offset);
            if (here == 0)
            {
                break;
            }

            MemoryRegion? region = FindRegion(piece.Key);
            bool isFit = region is not null
                && region.Allows(piece.Address, piece.Length, isWrite ? RegionAccess.LocalWrite : NoRight)
                && region.TryAccess(piece.Address.AddChecked(new ByteCount(offset)), packet[..here], isWrite).IsOk;
            if (!isFit)
            {
                return WorkStatus.LocalProtectionError;
            }

            packet = packet[here..];
            offset = 0;
        }

        return WorkStatus.Success;
    }

    private MemoryRegion? FindRegion(RegionKey key)
    {
        MemoryRegion? region = Nic.Keys.Find(key);
        return region is not null && region.Domain == Domain ? region : null;
    }
}
