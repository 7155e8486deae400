using System.Net.Sockets;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Nics;
using Mm.Devices.Nics.Queues;
using Mm.Devices.Nics.Sockets;
using Mm.Devices.Nics.ZeroCopy;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Nics.ZeroCopy;

internal sealed class ZeroCopyQueueTests
{
    private static IEnumerable<TestCaseData> Refusals()
    {
        yield return Case("not privileged", Errno.EPERM, options => options with { IsPrivileged = false });
        yield return Case("work not put off", Errno.EINVAL, options => options with { DefersWork = false });
        yield return Case("small completions", Errno.EINVAL, options => options with { HasBigCompletions = false });
        yield return Case("no entries", Errno.EINVAL, options => options with { RefillEntries = 0 });
        yield return Case("too many entries", Errno.EINVAL, options => options with { RefillEntries = 32769 });
        yield return Case("no such queue", Errno.ERANGE, options => options with { Queue = 2 });
        yield return Case("queue -1", Errno.EINVAL, options => options with { Queue = -1 });
        yield return Case("empty area", Errno.EFAULT, options => options with { Length = ByteCount.Zero });
        yield return Case("large area", Errno.EFAULT, options => options with { Length = ByteCount.FromGiB(2) });
        yield return Case("area that wraps", Errno.EOVERFLOW, options => options with { Start = new VirtAddr(ulong.MaxValue - 4095), Length = new ByteCount(8192) });
        yield return Case("start off a page", Errno.EINVAL, options => options with { Start = options.Start.AddChecked(new ByteCount(8)) });
        yield return Case("length off a page", Errno.EINVAL, options => options with { Length = new ByteCount(5000) });
        yield return Case("no memory there", Errno.EFAULT, options => options with { Start = new VirtAddr(0x1000) });
        yield return Case("partly no memory there", Errno.EFAULT, options => options with { Length = new ByteCount(64 * 4096) });
        yield return Case("no process", Errno.EFAULT, options => options with { Space = null });
    }

    [Test]
    public void Close_WhileSomebodyReceives_TakesBackWhatHeGets()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(8)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1 });
        var user = new Thread(() => _ = queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(1), out _));
        var closer = new Thread(queue.Dispose);
        Errno errno = receiver.TryRead(1, new Stop(() =>
        {
            user.Start();
            Waiting.UntilWaits(user); // for the socket, which is read here
            closer.Start();
            Waiting.UntilWaits(closer);
        }), out _);
        user.Join();
        closer.Join();
        receiver.Dispose();

        Assert.That((errno, queue.UserBuffers.Value, queue.IsFreed), Is.EqualTo((Errno.EAGAIN, 0UL, true)));
    }

    [TestCaseSource(nameof(Refusals))]
    public void Register_Refused_LeavesNothing(Errno expected, Func<ZeroCopyOptions, ZeroCopyOptions> change)
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyOptions options = change(rig.Options(rig.Map(8)));

        Assert.That(rig.Card.Nic.TryRegister(options, out ZeroCopyQueue? queue), Is.EqualTo(expected));
        Assert.That((queue, rig.Account.Locked.Value), Is.EqualTo(((ZeroCopyQueue?)null, 0UL)));
        Assert.That(rig.Card.Nic.Queues.Select(each => each.Provider), Is.All.Null);
    }

    [Test]
    public void Register_OfAQueueThatOthersHave_IsRefused()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyOptions options = rig.Options(rig.Map(8));
        rig.Card.Nic.TrySetXdpProgram(true).ThrowIfError();
        Assert.That(rig.Card.Nic.TryRegister(options, out _), Is.EqualTo(Errno.EEXIST));
        rig.Card.Nic.TrySetXdpProgram(false).ThrowIfError();
        rig.Card.Nic.TrySetXdpSocket(0, true).ThrowIfError();
        Assert.That(rig.Card.Nic.TryRegister(options, out _), Is.EqualTo(Errno.EBUSY));
        rig.Card.Nic.TrySetXdpSocket(0, false).ThrowIfError();
        rig.Register(options);

        Assert.That(rig.Card.Nic.TryRegister(rig.Options(rig.Map(8)), out _), Is.EqualTo(Errno.EEXIST));
        Assert.That(rig.Card.Nic.TryRegister(options with { Queue = 1, Length = new ByteCount(4096) }, out ZeroCopyQueue? other), Is.EqualTo(Errno.Ok));
        other!.Dispose();
        Assert.That(rig.Account.Locked.Value, Is.EqualTo(8));
        rig.Card.Nic.Remove();
        Assert.That(rig.Card.Nic.TryRegister(options, out _), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Register_AboveWhatMayBeLockedOrOfLargeBuffers_IsRefused()
    {
        using var rig = new ZeroCopyRig(new NicOptions { Queue = new QueueOptions { Order = 1 } });
        Assert.That(rig.Card.Nic.TryRegister(rig.Options(rig.Map(65)), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(rig.Card.Nic.TryRegister(rig.Options(rig.Map(8)), out _), Is.EqualTo(Errno.EOPNOTSUPP));
    }

    [Test]
    public void Register_WithTooManyEntriesAndClamping_GetsAsManyAsThereMayBe()
    {
        using var rig = new ZeroCopyRig();
        Assert.That(rig.Register(rig.Options(rig.Map(8)) with { RefillEntries = 1_000_000, Clamps = true }).Ring.Capacity, Is.EqualTo(32768));
        Assert.That(rig.Register(rig.Options(rig.Map(8)) with { RefillEntries = 5, Queue = 1 }).Ring.Capacity, Is.EqualTo(8));
    }

    [Test]
    public void Register_FailedAtEachAllocation_LeavesNothing()
    {
        ulong nth = 1;
        for (bool isDone = false; !isDone; nth++)
        {
            using var rig = new ZeroCopyRig();
            ZeroCopyOptions options = rig.Options(rig.Map(8));
            rig.Card.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            Errno errno = rig.Card.Nic.TryRegister(options, out ZeroCopyQueue? queue);
            isDone = rig.Card.Machine.Faults.FailureCount(FaultPoint.Slab) == 0;
            rig.Card.Machine.Faults.Clear();
            Assert.That(errno.IsOk, Is.EqualTo(isDone), $"failure {nth}: {errno}");
            queue?.Dispose();
            Assert.That(rig.Account.Locked.Value, Is.Zero);
        }

        Assert.That(nth, Is.AtLeast(10));
    }

    [Test]
    public void Payload_OfARegisteredQueue_LandsInTheProcess()
    {
        using var rig = new ZeroCopyRig();
        VirtRange area = rig.Map(16);
        ZeroCopyQueue queue = rig.Register(rig.Options(area));
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Card.Bytes("sent", 10_000);
        NicRig.Send(sender, receiver, sent);
        var completions = new CompletionBuffer(8);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out ByteCount received).ThrowIfError();
        List<ReceiveCompletion> taken = ZeroCopyRig.Take(completions);

        Assert.That((received.Value, taken.Count, queue.UserBuffers.Value), Is.EqualTo((10_000UL, 3, 3UL)));
        Assert.That(rig.Read(area, taken), Is.EqualTo(sent));
        Assert.That(rig.Card.Ledger.Where(entry => entry.Kind is HoldingKind.Pin or HoldingKind.Token or HoldingKind.Mapping).Select(entry => (entry.Kind, entry.Count)),
            Is.EquivalentTo(new[] { (HoldingKind.Pin, 16UL), (HoldingKind.Mapping, 1UL), (HoldingKind.Token, 3UL) }));
        taken.ForEach(completion => Assert.That(queue.Ring.TryPush(new RefillEntry(completion.Place)), Is.True));
        NicRig.Send(sender, receiver, rig.Card.Bytes("more", 40_000));
        Assert.That((queue.Ring.Head, queue.UserBuffers.Value), Is.EqualTo((3U, 0UL)), "they were given back when the pool asked");
    }

    /// <summary>A whole flow through an area that is smaller than it: buffers go round.</summary>
    [Test]
    public void Flow_LargerThanTheArea_GoesThroughByteForByte()
    {
        using var rig = new ZeroCopyRig(new NicOptions { Queue = new QueueOptions { RingEntries = 4, MaxSegment = new ByteCount(9000) } });
        VirtRange area = rig.Map(16);
        ZeroCopyQueue queue = rig.Register(rig.Options(area));
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Card.Bytes("sent", 500_000);
        rig.Card.Start(sender, sent);
        var completions = new CompletionBuffer(32);
        int at = 0;
        while (at < sent.Length)
        {
            int most = Math.Min(7000, sent.Length - at);
            Landing landing = receiver.LandAsync(new ByteCount((ulong)most)).AsTask().GetAwaiter().GetResult();
            Assert.That(landing.End, Is.EqualTo(LandingEnd.Done).Or.EqualTo(LandingEnd.NoBuffer));
            while (queue.TryReceive(receiver, ByteCount.Zero, completions, out _).IsOk)
            {
                List<ReceiveCompletion> taken = ZeroCopyRig.Take(completions);
                byte[] read = rig.Read(area, taken);
                Assert.That(read.AsSpan().SequenceEqual(sent.AsSpan(at, read.Length)), Is.True, $"at {at}");
                at += read.Length;
                taken.ForEach(completion => Assert.That(queue.Ring.TryPush(new RefillEntry(completion.Place)), Is.True));
            }
        }

        Assert.That(queue.Ring.Head, Is.GreaterThan(100U));
    }

    /// <summary>U1: one buffer returned twice has the effect of one return.</summary>
    [Test]
    public void Buffer_ReturnedTwice_IsBackOnce()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(6)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1 });
        var completions = new CompletionBuffer(8);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out _).ThrowIfError();
        completions.TryTake(out ReceiveCompletion completion);
        queue.Ring.TryPush(new RefillEntry(completion.Place));
        queue.Ring.TryPush(new RefillEntry(completion.Place));
        Collect(rig, queue);

        Assert.That((queue.Ring.Head, queue.UserBuffers.Value), Is.EqualTo((2U, 0UL)));
        rig.Card.Nic.Validate();
    }

    [Test]
    public void Entries_ThatMakeNoSense_ArePassedOver()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(6)));
        RefillEntry[] entries = [new(1UL << 48), new(6 * 4096), new(0, Padding: 1), new(ulong.MaxValue), new(0)];
        foreach (RefillEntry entry in entries)
        {
            queue.Ring.TryPush(entry);
        }

        PageCount before = queue.FreeBuffers;
        Collect(rig, queue);
        Assert.That((queue.Ring.Head, queue.FreeBuffers), Is.EqualTo((5U, before)));
    }

    [Test]
    public void Receive_OfWhatLandedElsewhere_IsCopiedIntoTheArea()
    {
        using var rig = new ZeroCopyRig();
        VirtRange area = rig.Map(16);
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Card.Bytes("sent", 9000);
        NicRig.Send(sender, receiver, sent.AsMemory(0, 6000));
        ZeroCopyQueue queue = rig.Register(rig.Options(area));
        NicRig.Send(sender, receiver, sent.AsMemory(6000));
        var completions = new CompletionBuffer(8);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out ByteCount received).ThrowIfError();
        List<ReceiveCompletion> taken = ZeroCopyRig.Take(completions);

        Assert.That(received.Value, Is.EqualTo(9000));
        Assert.That(rig.Read(area, taken), Is.EqualTo(sent));
        taken.ForEach(completion => queue.Ring.TryPush(new RefillEntry(completion.Place)));
        Collect(rig, queue);
        Assert.That(queue.UserBuffers.Value, Is.Zero);
    }

    [Test]
    public void Receive_WithoutRoomOrBuffersOrOfForeignMemory_IsRefused()
    {
        using var rig = new ZeroCopyRig();
        (Socket sender, NicSocket receiver) = rig.Connect();
        (Socket second, NicSocket foreign) = rig.Card.Connect();
        rig.Card.Steer(foreign, 1);
        NicRig.Send(sender, receiver, new byte[9000]);
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(5)));
        ZeroCopyQueue other = rig.Register(rig.Options(rig.Map(5)) with { Queue = 1 });
        NicRig.Send(second, foreign, new byte[10]);

        Assert.That(queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(0), out _), Is.EqualTo(Errno.ENOSPC));
        Assert.That(queue.TryReceive(foreign, ByteCount.Zero, new CompletionBuffer(4), out _), Is.EqualTo(Errno.EFAULT));
        Assert.That(other.TryReceive(foreign, ByteCount.Zero, new CompletionBuffer(0), out _), Is.EqualTo(Errno.ENOSPC));
        queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(4), out ByteCount received).ThrowIfError();
        Assert.That(received.Value, Is.EqualTo(4096), "one buffer was free, and the ring has four");
        Assert.That(queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(4), out _), Is.EqualTo(Errno.ENOMEM));
        Assert.That(receiver.Available.Value, Is.EqualTo(9000 - 4096));
    }

    [Test]
    public void Receive_OfManySegments_TakesSoManyACall()
    {
        using var rig = new ZeroCopyRig(new NicOptions { Queue = new QueueOptions { RingEntries = 40, MaxSegment = new ByteCount(100) } });
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(60)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[3000]);
        var completions = new CompletionBuffer(64);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out ByteCount first).ThrowIfError();
        queue.TryReceive(receiver, new ByteCount(150), completions, out ByteCount second).ThrowIfError();

        Assert.That((first.Value, second.Value), Is.EqualTo((2100UL, 150UL)));
    }

    [Test]
    public void Area_OfASharedBuffer_LandsThereAndTakesNoCopy()
    {
        using var rig = new ZeroCopyRig();
        BufferHandle buffer = rig.Card.HeapBuffer(16);
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[] { 1 });
        var options = new ZeroCopyOptions { Queue = 0, Buffer = buffer, Length = new ByteCount(16 * 4096) };
        Assert.That(rig.Card.Nic.TryRegister(options with { Length = new ByteCount(4096) }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Card.Nic.TryRegister(options with { Start = new VirtAddr(4096) }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(rig.Card.Nic.TryRegister(options with { Space = rig.Space }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(buffer.Buffer.AttachmentCount, Is.Zero);
        ZeroCopyQueue queue = rig.Register(options);
        Assert.That(queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(4), out _), Is.EqualTo(Errno.EFAULT), "what landed before would have to be copied");
        NicRig.Receive(receiver, 1);
        byte[] sent = rig.Card.Bytes("sent", 5000);
        NicRig.Send(sender, receiver, sent);
        var completions = new CompletionBuffer(4);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out _).ThrowIfError();

        ReceiveControl[] messages = [.. ZeroCopyRig.Take(completions).Select(each => new ReceiveControl(ReceiveControlKind.DeviceMemory, each.Offset, each.Size, 0, 0))];
        Assert.That(NicRig.ReadBuffer(buffer, messages), Is.EqualTo(sent));
        queue.Dispose();
        Assert.That(buffer.Buffer.AttachmentCount, Is.Zero);
        Assert.That(() => queue.TryReceive(receiver, ByteCount.Zero, completions, out _), Throws.InstanceOf<ObjectDisposedException>());
    }

    /// <summary>U2, museum 5: after the card is removed no mapping is left; the user goes on reading, and gives back late.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Removal_WithBuffersInUserHands_UnmapsAtOnce(bool unmapsLate)
    {
        using var rig = new ZeroCopyRig();
        VirtRange area = rig.Map(8);
        ZeroCopyQueue queue = rig.Register(rig.Options(area));
        queue.UnmapsLate = unmapsLate;
        rig.Card.Machine.Dma.Diagnostics.IsOn = true;
        (Socket sender, NicSocket receiver) = rig.Connect();
        byte[] sent = rig.Card.Bytes("sent", 5000);
        NicRig.Send(sender, receiver, sent);
        var completions = new CompletionBuffer(4);
        queue.TryReceive(receiver, ByteCount.Zero, completions, out _).ThrowIfError();
        rig.Card.Nic.Remove();

        bool isCaught = rig.Card.Machine.Dma.Diagnostics.Collect().Any(found => found.Kind == DmaDiagnosticKind.OutstandingAtDetach);
        Assert.That((rig.Card.Device.LiveMappings == 0, isCaught), Is.EqualTo((!unmapsLate, unmapsLate)));
        Assert.That(rig.Read(area, ZeroCopyRig.Take(completions)), Is.EqualTo(sent));
        Assert.That(receiver.Land().End, Is.EqualTo(LandingEnd.DeviceGone));
        Assert.That(queue.TryReady(), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Close_WithBuffersInUserHands_TakesThemBack()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(8)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        NicRig.Send(sender, receiver, new byte[9000]);
        queue.TryReceive(receiver, new ByteCount(4096), new CompletionBuffer(4), out _).ThrowIfError();
        queue.Dispose();
        queue.Dispose();

        Assert.That((queue.UserBuffers.Value, queue.IsFreed), Is.EqualTo((0UL, false)), "the socket still has what landed");
        receiver.Dispose();
        Assert.That((queue.IsFreed, rig.Account.Locked.Value), Is.EqualTo((true, 0UL)));
    }

    [Test]
    public void Receive_OfUdpOrOfNothing_IsRefused()
    {
        using var rig = new ZeroCopyRig();
        ZeroCopyQueue queue = rig.Register(rig.Options(rig.Map(8)));
        (Socket sender, NicSocket receiver) = rig.Connect();
        using var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        datagrams.Connect(sender.LocalEndPoint!);
        rig.Card.Nic.TryOpen(datagrams, out NicSocket? udp).ThrowIfError();

        Assert.That(queue.TryReceive(udp!, ByteCount.Zero, new CompletionBuffer(1), out _), Is.EqualTo(Errno.EPROTONOSUPPORT));
        Assert.That(queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(1), out _), Is.EqualTo(Errno.EAGAIN));
        sender.Shutdown(SocketShutdown.Send);
        Assert.That(receiver.LandAsync(new ByteCount(1)).AsTask().GetAwaiter().GetResult().End, Is.EqualTo(LandingEnd.FlowEnded));
        Assert.That(queue.TryReceive(receiver, ByteCount.Zero, new CompletionBuffer(1), out ByteCount received), Is.EqualTo(Errno.Ok));
        Assert.That(received.IsZero, Is.True);
    }

    // What the card does when its pool runs dry.
    private static void Collect(ZeroCopyRig rig, ZeroCopyQueue queue)
    {
        using Mm.Devices.Nics.PagePools.NapiContext.Scope napi = rig.Card.Nic.Queues[0].Pool!.Options.Napi!.Enter();
        queue.Collect(rig.Card.Nic.Queues[0].Pool!);
    }

    private static TestCaseData Case(string name, Errno expected, Func<ZeroCopyOptions, ZeroCopyOptions> change) =>
        new TestCaseData(expected, change).SetArgDisplayNames(name);

    // Reads nothing, and does something meanwhile.
    private sealed class Stop(Action meanwhile) : ISegmentReader
    {
        public Errno TryRead(Segment segment, int from, int atMost, out int taken)
        {
            meanwhile();
            taken = 0;
            return Errno.EAGAIN;
        }
    }
}
