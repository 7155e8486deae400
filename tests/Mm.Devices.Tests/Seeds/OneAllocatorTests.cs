using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Nics.PagePools;
using Mm.Devices.Tests.Gpus;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S1: the GPU's driver is the one allocator of its memory, and packets land in the memory of the process that owns the flow.</summary>
[Category("Seeds")]
internal sealed class OneAllocatorTests
{
    private const int Buffers = 32; // of each process
    private const int Packets = 64;

    [Test]
    public void Packets_OfEachProcess_LandInItsOwnGpuMemoryAlone()
    {
        using var rig = new GpuRig();
        using var ofP = new ReceiveQueue(rig);
        using var ofQ = new ReceiveQueue(rig);
        Assert.That(rig.Pci.Pools.TryFind(GpuRig.Place, out _), Is.False, "no p2pmem pool");
        Assert.That((rig.Pci.Bars.Count, rig.Gpu.Memory.UsedPages.Value), Is.EqualTo((1, 2UL * Buffers)), "all that is taken, the GPU gave");

        for (int packet = 0; packet < Packets; packet++)
        {
            ofP.Receive(GpuRig.Bytes(GpuRig.Page, 2 * packet));
            ofQ.Receive(GpuRig.Bytes(GpuRig.Page, (2 * packet) + 1));
        }

        Assert.That((ofP.Landed, ofQ.Landed), Is.EqualTo((Packets, Packets)));
        Assert.That(ofP.HoldsOnly(static packet => packet % 2 == 0), Is.True, "P's flow is in P's memory, and nothing else");
        Assert.That(ofQ.HoldsOnly(static packet => packet % 2 == 1), Is.True);
        Assert.That(rig.Gpu.Memory.UsedPages.Value, Is.EqualTo(2UL * Buffers), "the NIC took nothing");
    }

    [Test]
    public void Queue_WhoseMemoryIsAllOut_DropsAndTakesNobodyElses()
    {
        using var rig = new GpuRig();
        using var ofP = new ReceiveQueue(rig) { KeepsPackets = true };
        using var ofQ = new ReceiveQueue(rig);
        for (int packet = 0; packet < Buffers + 8; packet++)
        {
            ofP.Receive(GpuRig.Bytes(GpuRig.Page, packet));
        }

        Assert.That((ofP.Landed, ofP.Dropped, ofQ.Landed), Is.EqualTo((Buffers, 8, 0)));
        Assert.That(ofQ.IsUntouched, Is.True);
    }

    // A receive queue of the NIC, whose page pool gets its buffers from one process's GPU memory, by dma-buf.
    private sealed class ReceiveQueue : IMemoryProvider, IBufferImporter, IDisposable
    {
        private readonly GpuRig rig;
        private readonly GpuObject memory;
        private readonly BufferHandle handle;
        private readonly BufferAttachment attachment;
        private readonly BufferMapping mapping;
        private readonly PagePool pool;
        private readonly Queue<NetIov> free = new();
        private readonly Queue<PoolLease> kept = new();
        private readonly Dictionary<DmaAddr, byte[]> lastAt = [];

        internal ReceiveQueue(GpuRig rig)
        {
            this.rig = rig;
            memory = rig.Create(Buffers, GpuPlaces.VisibleVram, GpuPlaces.Vram);
            handle = GpuRig.Export(memory);
            attachment = GpuRig.Attach(handle, rig.Near, this);
            mapping = GpuRig.Map(attachment);
            foreach (DmaSegment segment in mapping.Segments)
            {
                for (ulong at = 0; at < segment.Length.Value; at += GpuRig.Page)
                {
                    free.Enqueue(new NetIov(this, new DmaAddr(segment.Address.Value + at), new ByteCount(GpuRig.Page)));
                }
            }

            var options = new PagePoolOptions
            {
                Device = rig.Near,
                SyncsForDevice = true,
                MaxLength = new ByteCount(GpuRig.Page),
                Provider = this,
                RingSize = 1,
            };
            PagePool.TryCreate(rig.Machine, options, out PagePool? made).ThrowIfError();
            pool = made!;
        }

        public bool AllowsPeerToPeer => true;

        internal bool KeepsPackets { get; init; }

        internal int Landed { get; private set; }

        internal int Dropped { get; private set; }

        internal bool IsUntouched => !GpuRig.Read(memory).AsSpan().ContainsAnyExcept((byte)0);

        public void OnMove(BufferAttachment moved, ReservationLock held, MoveNotice notice) =>
            throw new InvalidOperationException("nothing moves here");

        public Errno TryBegin(PagePool user) => Errno.Ok;

        public Errno TryAllocate(PagePool user, out NetIov? buffer) => free.TryDequeue(out buffer) ? Errno.Ok : Errno.ENOMEM;

        public void Release(PagePool user, NetIov buffer) => free.Enqueue(buffer);

        public void End(PagePool user)
        {
        }

        internal void Receive(byte[] packet)
        {
            if (!pool.TryAllocate(out PoolLease lease).IsOk)
            {
                Dropped++;
                return;
            }

            Assert.That((lease.Memory.TryGetPage(out _), lease.Memory.TryGetNetIov(out NetIov? place)), Is.EqualTo((false, true)));
            rig.Near.Port.TryWrite(place!.Address, packet, out _).ThrowIfError();
            lastAt[place.Address] = packet;
            Landed++;
            if (KeepsPackets)
            {
                kept.Enqueue(lease);
            }
            else
            {
                lease.Dispose();
            }
        }

        // Every page of the memory is zero, or a packet of the flow; and each packet that was not written over is there.
        internal bool HoldsOnly(Func<int, bool> isOfFlow)
        {
            byte[] all = GpuRig.Read(memory);
            byte[][] flow = [.. Enumerable.Range(0, 2 * Packets).Where(isOfFlow).Select(static packet => GpuRig.Bytes(GpuRig.Page, packet))];
            int found = 0;
            for (int at = 0; at < all.Length; at += GpuRig.Page)
            {
                ReadOnlySpan<byte> page = all.AsSpan(at, GpuRig.Page);
                if (page.ContainsAnyExcept((byte)0))
                {
                    byte[] copy = page.ToArray();
                    if (!Array.Exists(flow, packet => packet.AsSpan().SequenceEqual(copy)))
                    {
                        return false;
                    }

                    found++;
                }
            }

            return found == lastAt.Count;
        }

        public void Dispose()
        {
            while (kept.TryDequeue(out PoolLease lease))
            {
                lease.Dispose();
            }

            pool.Dispose();
            Assert.That((pool.InFlight, free.Count), Is.EqualTo((0, Buffers)));
            mapping.Dispose();
            attachment.Dispose();
            handle.Dispose();
            memory.Dispose();
        }
    }
}
