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
        if (status != WorkStatus.Success)
        {
            Complete(sends, sendsDone, status, 0);
            moved = 0;
        }
        else if (moved == work.Length)
        {
            EndOfWork(work);
        }

        return true;
    }

    private void EndOfWork(WorkRequest work)
    {
        ulong bytes = moved;
        moved = 0;
        if (work.Opcode == WorkOpcode.Send)
        {
            peer!.Complete(peer.receives, peer.receivesDone, WorkStatus.Success, bytes);
        }

        Complete(sends, sendsDone, WorkStatus.Success, bytes);
    }

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
            return Refuse(WorkStatus.RemoteInvalidRequest);
        }

        RegionAccess right = work.Opcode switch
        {
            WorkOpcode.Read => RegionAccess.RemoteRead,
            WorkOpcode.Write => RegionAccess.RemoteWrite,
            _ => RegionAccess.RemoteAtomic,
        };
        MemoryRegion? region = peer!.FindRegion(work.RemoteKey);
        bool isFit = work.Length == 0 || (region is not null && region.Allows(work.RemoteAddress, new ByteCount(work.Length), right));
        return isFit ? WorkStatus.Success : Refuse(WorkStatus.RemoteAccessError);
    }

    private WorkStatus CheckReceive(WorkRequest work)
    {
        if (!peer!.receives.TryPeek(out WorkRequest? receive))
        {
            return WorkStatus.ReceiverNotReady;
        }

        if (receive.Length >= work.Length)
        {
            return WorkStatus.Success;
        }

        peer.Complete(peer.receives, peer.receivesDone, WorkStatus.LocalLengthError, 0);
        return WorkStatus.RemoteInvalidRequest;
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

        if (peer!.TryMoveLocal(peer.receives.Peek(), moved, packet, isWrite: true) == WorkStatus.Success)
        {
            return WorkStatus.Success;
        }

        peer.Complete(peer.receives, peer.receivesDone, WorkStatus.LocalProtectionError, 0);
        return WorkStatus.RemoteOperationError;
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
        return isDone ? WorkStatus.Success : Refuse(WorkStatus.RemoteAccessError);
    }

    // What a responder refuses puts it into error, too.
    private WorkStatus Refuse(WorkStatus status)
    {
        peer!.Fail();
        return status;
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
