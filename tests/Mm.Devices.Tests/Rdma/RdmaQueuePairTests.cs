using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

internal sealed class RdmaQueuePairTests
{
    [Test]
    public void WriteAndRead_BetweenTwoNics_MoveTheBytes([Values] bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        VirtRange mine = rig.Near.Map(5, 7);
        VirtRange other = rig.Across.Map(5, 9);
        VirtRange inside = new(mine.Start.AddChecked(new ByteCount(100)), new ByteCount(9000));
        MemoryRegion local = rig.Near.Register(inside);
        MemoryRegion remote = rig.Across.Register(other);

        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote, offset: 3), Is.EqualTo(WorkStatus.Success));
        byte[] there = rig.Across.Read(other);
        Assert.That(there.AsSpan(3, 9000).ContainsAnyExcept((byte)7), Is.False);
        Assert.That((there[2], there[9003]), Is.EqualTo(((byte)9, (byte)9)), "not a byte more");

        rig.Across.Write(other, 4);
        Assert.That(rig.Near.Do(WorkOpcode.Read, RdmaEnd.Piece(local), remote), Is.EqualTo(WorkStatus.Success));
        byte[] here = rig.Near.Read(mine);
        Assert.That(here.AsSpan(100, 9000).ContainsAnyExcept((byte)4), Is.False);
        Assert.That((here[99], here[9100]), Is.EqualTo(((byte)7, (byte)7)));
    }

    [Test]
    public void Write_BetweenTwoMachines_MovesTheBytes()
    {
        using var one = new RdmaRig();
        using var two = new RdmaRig();
        one.Machine.Spaces.TryCreate(out AddressSpace? first).ThrowIfError();
        two.Machine.Spaces.TryCreate(out AddressSpace? second).ThrowIfError();
        var wire = new RdmaWire();
        var here = new RdmaEnd(wire, one.Pci, RdmaRig.FarPlace, first!, null, 64);
        var there = new RdmaEnd(wire, two.Pci, RdmaRig.FarPlace, second!, null, 64);
        here.Pair.TryConnect(there.Pair).ThrowIfError();
        MemoryRegion local = here.Register(here.Map(3, 5));
        VirtRange target = there.Map(3, 1);

        Assert.That(here.Do(WorkOpcode.Write, RdmaEnd.Piece(local), there.Register(target)), Is.EqualTo(WorkStatus.Success));
        Assert.That(there.Read(target).AsSpan().ContainsAnyExcept((byte)5), Is.False);
        Assert.That(one.Near.Pair.TryConnect(there.Pair), Is.EqualTo(Errno.EINVAL), "another wire");
        here.Nic.Dispose();
        there.Nic.Dispose();
        first!.Dispose();
        second!.Dispose();
    }

    [Test]
    public void Send_IntoPostedPieces_FillsThemInOrder()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(3, 6));
        VirtRange target = rig.Across.Map(3, 1);
        MemoryRegion remote = rig.Across.Register(target);
        rig.Across.Pair.TryPost(new WorkRequest(
            77, WorkOpcode.Receive, RdmaEnd.Piece(remote, 8000, 100), RdmaEnd.Piece(remote, 10, 5000), RdmaEnd.Piece(remote, 6000, 1000))).ThrowIfError();
        rig.Near.Pair.TryPost(new WorkRequest(5, WorkOpcode.Send, RdmaEnd.Piece(local, 0, 5500))).ThrowIfError();

        Assert.That(rig.Near.Completed(), Is.EqualTo(
            new WorkCompletion(5, WorkStatus.Success, WorkOpcode.Send, new ByteCount(5500), rig.Near.Pair.Number)));
        Assert.That(rig.Across.Receives.TryPoll(out WorkCompletion received), Is.True);
        Assert.That(received, Is.EqualTo(
            new WorkCompletion(77, WorkStatus.Success, WorkOpcode.Receive, new ByteCount(5500), rig.Across.Pair.Number)));
        byte[] bytes = rig.Across.Read(target);
        Assert.That(bytes.Count(static value => value == 6), Is.EqualTo(5500));
        Assert.That((bytes[8000], bytes[8099], bytes[10], bytes[5009], bytes[6000], bytes[6399], bytes[6400]),
            Is.EqualTo(((byte)6, (byte)6, (byte)6, (byte)6, (byte)6, (byte)6, (byte)1)));
    }

    [Test]
    public void Send_NothingPosted_IsReceiverNotReadyAndFlushesTheRest()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 6));
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Send, RdmaEnd.Piece(local))).ThrowIfError();
        rig.Near.Pair.TryPost(new WorkRequest(2, WorkOpcode.Send, RdmaEnd.Piece(local))).ThrowIfError();

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.ReceiverNotReady));
        WorkCompletion flushed = rig.Near.Completed();
        Assert.That((flushed.Id, flushed.Status), Is.EqualTo((2UL, WorkStatus.Flushed)));
        rig.Near.Pair.TryPost(new WorkRequest(3, WorkOpcode.Send, RdmaEnd.Piece(local))).ThrowIfError();
        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.Flushed), "posted in error");
    }

    [Test]
    public void Send_MoreThanTheReceiveTakes_IsAnErrorOfBoth()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 6));
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));
        rig.Across.Pair.TryPost(new WorkRequest(9, WorkOpcode.Receive, RdmaEnd.Piece(remote, 0, 100))).ThrowIfError();
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Send, RdmaEnd.Piece(local))).ThrowIfError();

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.RemoteInvalidRequest));
        Assert.That(rig.Across.Receives.TryPoll(out WorkCompletion received), Is.True);
        Assert.That(received.Status, Is.EqualTo(WorkStatus.LocalLengthError));
    }

    [Test]
    public void CompareSwapAndFetchAdd_GiveTheOldValueBackAndChangeTheNew()
    {
        using var rig = new RdmaRig();
        VirtRange mine = rig.Near.Map(1, 1);
        VirtRange other = rig.Across.Map(1);
        MemoryRegion local = rig.Near.Register(mine);
        MemoryRegion remote = rig.Across.Register(other);
        Assert.That(Atomic(rig, local, remote, WorkOpcode.FetchAdd, 5, 0), Is.EqualTo((0UL, 5UL)));
        Assert.That(Atomic(rig, local, remote, WorkOpcode.FetchAdd, ulong.MaxValue, 0), Is.EqualTo((5UL, 4UL)), "it wraps");
        Assert.That(Atomic(rig, local, remote, WorkOpcode.CompareSwap, 3, 99), Is.EqualTo((4UL, 4UL)), "not what is expected");
        Assert.That(Atomic(rig, local, remote, WorkOpcode.CompareSwap, 4, 99), Is.EqualTo((4UL, 99UL)));
    }

    [Test]
    public void Atomic_AtAnOddAddress_IsARemoteInvalidRequest()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 1));
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));

        Assert.That(
            rig.Near.Do(WorkOpcode.FetchAdd, RdmaEnd.Piece(local, 0, 8), remote, offset: 4), Is.EqualTo(WorkStatus.RemoteInvalidRequest));
        Assert.That(rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.FetchAdd, RdmaEnd.Piece(local, 0, 4))), Is.EqualTo(Errno.EINVAL));
    }

    [TestCase(WorkOpcode.Write, RegionAccess.RemoteRead | RegionAccess.LocalWrite)]
    [TestCase(WorkOpcode.Read, RegionAccess.RemoteWrite | RegionAccess.LocalWrite)]
    [TestCase(WorkOpcode.FetchAdd, RegionAccess.RemoteRead | RegionAccess.RemoteWrite | RegionAccess.LocalWrite)]
    public void RemoteRight_ThatIsNotThere_IsARemoteAccessErrorOfBothEnds(WorkOpcode opcode, RegionAccess access)
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 1));
        VirtRange target = rig.Across.Map(1, 3);
        MemoryRegion remote = rig.Across.Register(target, access);

        Assert.That(rig.Near.Do(opcode, RdmaEnd.Piece(local, 0, 8), remote), Is.EqualTo(WorkStatus.RemoteAccessError));
        Assert.That((rig.Near.Pair.State, rig.Across.Pair.State), Is.EqualTo((QueuePairState.Error, QueuePairState.Error)));
        Assert.That(rig.Across.Read(target).AsSpan().ContainsAnyExcept((byte)3), Is.False);
    }

    [Test]
    public void RemoteRange_PastTheRegion_IsARemoteAccessError()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 1));
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));

        Assert.That(rig.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(local), remote, offset: 1), Is.EqualTo(WorkStatus.RemoteAccessError));
    }

    [Test]
    public void LocalKey_OfAnotherDomainOrWithoutTheRight_IsALocalProtectionError()
    {
        using var rig = new RdmaRig();
        VirtRange mine = rig.Near.Map(1, 1);
        MemoryRegion readOnly = rig.Near.Register(mine, RegionAccess.RemoteRead);
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));

        Assert.That(rig.Near.Do(WorkOpcode.Read, RdmaEnd.Piece(readOnly), remote), Is.EqualTo(WorkStatus.LocalProtectionError));

        using var second = new RdmaRig();
        second.Near.Context.TryCreateDomain(out ProtectionDomain? other).ThrowIfError();
        VirtRange again = second.Near.Map(1, 1);
        other!.TryRegister(again.Start, again.Length, RdmaEnd.All, out MemoryRegion? foreign).ThrowIfError();
        MemoryRegion there = second.Across.Register(second.Across.Map(1));
        Assert.That(second.Near.Do(WorkOpcode.Write, RdmaEnd.Piece(foreign!), there), Is.EqualTo(WorkStatus.LocalProtectionError));
    }

    [Test]
    public void Write_RegionGoneHalfWay_EndsInAnErrorAndMovesNoByteMore()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        VirtRange target = rig.Across.Map(4);
        MemoryRegion local = rig.Near.Register(rig.Near.Map(4, 8));
        MemoryRegion remote = rig.Across.Register(target);
        rig.Near.Pair.TryPost(new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local))
        {
            RemoteAddress = remote.Range.Start,
            RemoteKey = remote.Key,
        }).ThrowIfError();
        Assert.That(rig.Near.Nic.Process(2), Is.EqualTo(2));
        remote.Dispose();

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.RemoteAccessError));
        Assert.That(rig.Across.Read(target).Count(static value => value == 8), Is.EqualTo(8192));
    }

    [Test]
    public void Completion_WithoutRoom_PutsThePairIntoError()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 8));
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));
        var work = new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local)) { RemoteAddress = remote.Range.Start, RemoteKey = remote.Key };
        for (int index = 0; index < 65; index++)
        {
            rig.Near.Pair.TryPost(work).ThrowIfError();
        }

        Assert.That((rig.Near.Pair.State, rig.Near.Sends.IsOverrun, rig.Near.Sends.Count), Is.EqualTo((QueuePairState.Error, true, 64)));
    }

    [Test]
    public void Unsignaled_Success_CompletesSilently()
    {
        using var rig = new RdmaRig();
        MemoryRegion local = rig.Near.Register(rig.Near.Map(1, 8));
        MemoryRegion remote = rig.Across.Register(rig.Across.Map(1));
        var work = new WorkRequest(1, WorkOpcode.Write, RdmaEnd.Piece(local))
        {
            RemoteAddress = remote.Range.Start,
            RemoteKey = remote.Key,
            IsSignaled = false,
        };
        rig.Near.Pair.TryPost(work).ThrowIfError();

        Assert.That((rig.Near.Sends.Count, rig.Near.Pair.WaitingSends), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Post_BeforeConnectedOrTooMuch_IsRefused()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        rig.Near.Domain.TryCreateQueuePair(rig.Near.Sends, rig.Near.Receives, 2, out RdmaQueuePair? pair).ThrowIfError();
        var work = new WorkRequest(1, WorkOpcode.Send);
        Assert.That(pair!.TryPost(work), Is.EqualTo(Errno.EINVAL));
        Assert.That(pair.TryPost(work with { Opcode = WorkOpcode.Receive }), Is.EqualTo(Errno.Ok));
        pair.TryConnect(pair).ThrowIfError();
        Assert.That(pair.TryConnect(pair), Is.EqualTo(Errno.EINVAL), "connected");
        Assert.That((pair.TryPost(work), pair.TryPost(work), pair.TryPost(work)), Is.EqualTo((Errno.Ok, Errno.Ok, Errno.ENOMEM)));
        pair.Dispose();
        pair.Dispose();
        Assert.That(rig.Near.Sends.Count, Is.EqualTo(2));
    }

    [Test]
    public void Loopback_WorkThatIsRefused_CompletesBeforeTheRestIsFlushed()
    {
        using var rig = new RdmaRig(new RdmaOptions { IsStepped = true });
        RdmaQueuePair pair = Loop(rig, rig.Near.Receives);
        LocalPiece piece = RdmaEnd.Piece(rig.Near.Register(rig.Near.Map(1, 1)));
        pair.TryPost(new WorkRequest(1, WorkOpcode.Write, piece) { RemoteKey = new RegionKey(0x7700) }).ThrowIfError();
        pair.TryPost(new WorkRequest(2, WorkOpcode.Write, piece)).ThrowIfError();

        WorkCompletion first = rig.Near.Completed();
        WorkCompletion second = rig.Near.Completed();
        Assert.That(((first.Id, first.Status), (second.Id, second.Status)), Is.EqualTo(
            ((1UL, WorkStatus.RemoteAccessError), (2UL, WorkStatus.Flushed))));
    }

    [Test]
    public void Loopback_SendThatIsTooLong_EndsBothOnce()
    {
        using var rig = new RdmaRig();
        RdmaQueuePair pair = Loop(rig, rig.Near.Receives);
        LocalPiece piece = RdmaEnd.Piece(rig.Near.Register(rig.Near.Map(1, 1)), 0, 100);
        pair.TryPost(new WorkRequest(9, WorkOpcode.Receive, piece with { Length = new ByteCount(10) })).ThrowIfError();
        pair.TryPost(new WorkRequest(1, WorkOpcode.Send, piece)).ThrowIfError();

        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.RemoteInvalidRequest));
        Assert.That(rig.Near.Receives.TryPoll(out WorkCompletion received), Is.True);
        Assert.That((received.Id, received.Status), Is.EqualTo((9UL, WorkStatus.LocalLengthError)));
        Assert.That((rig.Near.Sends.Count, rig.Near.Receives.Count), Is.EqualTo((0, 0)));
    }

    [Test]
    public void Loopback_ReceiveWhoseCompletionHasNoRoom_EndsTheSendAndIsInError()
    {
        using var rig = new RdmaRig();
        var receives = new CompletionQueue(1);
        RdmaQueuePair pair = Loop(rig, receives);
        LocalPiece piece = RdmaEnd.Piece(rig.Near.Register(rig.Near.Map(1, 1)));
        for (ulong id = 1; id <= 2; id++)
        {
            pair.TryPost(new WorkRequest(10 + id, WorkOpcode.Receive, piece)).ThrowIfError();
            pair.TryPost(new WorkRequest(id, WorkOpcode.Send, piece)).ThrowIfError();
            Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.Success));
        }

        Assert.That((pair.State, receives.IsOverrun), Is.EqualTo((QueuePairState.Error, true)));
    }

    private static RdmaQueuePair Loop(RdmaRig rig, CompletionQueue receives)
    {
        rig.Near.Domain.TryCreateQueuePair(rig.Near.Sends, receives, 4, out RdmaQueuePair? pair).ThrowIfError();
        pair!.TryConnect(pair).ThrowIfError();
        return pair;
    }

    private static (ulong Before, ulong After) Atomic(
        RdmaRig rig, MemoryRegion local, MemoryRegion remote, WorkOpcode opcode, ulong compare, ulong swap)
    {
        rig.Near.Pair.TryPost(new WorkRequest(1, opcode, RdmaEnd.Piece(local, 16, 8))
        {
            RemoteAddress = remote.Range.Start.AddChecked(new ByteCount(64)),
            RemoteKey = remote.Key,
            CompareOrAdd = compare,
            Swap = swap,
        }).ThrowIfError();
        Assert.That(rig.Near.Completed().Status, Is.EqualTo(WorkStatus.Success));
        return (
            BitConverter.ToUInt64(rig.Near.Read(local.Range), 16), BitConverter.ToUInt64(rig.Across.Read(remote.Range), 64));
    }
}
