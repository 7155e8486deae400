using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

/// <summary>Random processes, regions and work against plain arrays: what a key leads to is what the process sees, or an error.</summary>
internal sealed class RdmaNicProperties
{
    private const int Pages = 24;
    private const int PageBytes = 4096;

    [Test]
    public void Work_OfAnyOrder_MovesTheBytesThatArraysWouldMove([Values(1, 2, 3, 4)] int seed, [Values] bool isTranslated)
    {
        using var rig = new RdmaRig(isTranslated: isTranslated);
        new Program(rig, rig.Machine.CreateRandom($"program {seed}"), $"seed {seed}").Run(steps: 150);
    }

    private sealed class Program
    {
        private readonly RdmaRig rig;
        private readonly MachineRandom random;
        private readonly string name;
        private readonly VirtRange memory;
        private readonly byte[] expected = new byte[Pages * PageBytes];
        private readonly List<MemoryRegion> live = [];
        private readonly List<MemoryRegion> gone = [];
        private readonly MemoryRegion local;
        private RdmaQueuePair pair;

        internal Program(RdmaRig rig, MachineRandom random, string name)
        {
            (this.rig, this.random, this.name) = (rig, random, name);
            memory = rig.Across.Map(Pages);
            local = rig.Near.Register(rig.Near.Map(4));
            pair = rig.Near.Pair;
        }

        internal void Run(int steps)
        {
            for (int step = 0; step < steps; step++)
            {
                switch (random.NextBelow(7))
                {
                    case 0: ProcessWrites(); break;
                    case 1: Register(); break;
                    case 2: Deregister(); break;
                    case 3: ProcessDrops(); break;
                    case 4: UseGoneKey(); break;
                    default: NicMoves(); break;
                }

                Assert.That(rig.Across.Read(memory), Is.EqualTo(expected), $"{name}, step {step}");
            }

            PageCount pinned = live.Where(static region => region.Contract == RegionContract.Pinned)
                .Aggregate(PageCount.Zero, static (sum, region) => sum.AddChecked(TouchedPages(region)));
            Assert.That(rig.Across.Context.PinnedPages, Is.EqualTo(pinned), name);
            rig.Machine.Validate();
        }

        private static PageCount TouchedPages(MemoryRegion region) => region.Range.Length
            .AddChecked(region.Range.Start.OffsetIn(PageSize.Small)).ToPagesRoundUp();

        private int Below(int limit) => (int)random.NextBelow((ulong)limit);

        private void ProcessWrites()
        {
            byte[] bytes = new byte[1 + Below(9000)];
            random.Fill(bytes);
            int at = Below(expected.Length - bytes.Length);
            Assert.That(rig.Across.Space.Write(At(at), bytes), Is.EqualTo(FaultResult.Done));
            bytes.CopyTo(expected, at);
        }

        private void Register()
        {
            int start = Below(expected.Length - 1);
            int length = 1 + Below(expected.Length - start);
            RegionAccess access = RdmaEnd.All | (Below(2) == 0 ? RegionAccess.OnDemand : RegionAccess.None);
            live.Add(rig.Across.Register(new VirtRange(At(start), new ByteCount((ulong)length)), access));
        }

        private void Deregister()
        {
            if (live.Count > 0)
            {
                MemoryRegion region = live[Below(live.Count)];
                _ = live.Remove(region);
                region.Dispose();
                gone.Add(region);
            }
        }

        // Pages that are pinned would part from the process here, as Linux documents; all others the NIC must follow.
        private void ProcessDrops()
        {
            int page = Below(Pages - 1);
            var range = new VirtRange(At(page * PageBytes), new ByteCount((ulong)((1 + Below(Pages - page)) * PageBytes)));
            bool isPinned = live.Exists(region => region.Contract == RegionContract.Pinned && Covers(region, range));
            if (!isPinned)
            {
                rig.Across.Space.TryDropPages(range.Start, range.Length).ThrowIfError();
                expected.AsSpan(page * PageBytes, (int)range.Length.Value).Clear();
            }
        }

        private static bool Covers(MemoryRegion region, VirtRange pages)
        {
            VirtAddr first = region.Range.Start.AlignDown(PageSize.Small);
            return new VirtRange(first, TouchedPages(region).ToBytes()).Overlaps(pages);
        }

        private void NicMoves()
        {
            if (live.Count == 0)
            {
                return;
            }

            MemoryRegion region = live[Below(live.Count)];
            int length = 1 + Below((int)Math.Min(region.Range.Length.Value, local.Range.Length.Value));
            int offset = Below((int)region.Range.Length.Value - length + 1);
            int at = (int)region.Range.Start.OffsetFrom(memory.Start).Value + offset;
            if (Below(2) == 0)
            {
                byte[] bytes = new byte[length];
                random.Fill(bytes);
                Assert.That(rig.Near.Space.Write(local.Range.Start, bytes), Is.EqualTo(FaultResult.Done));
                Assert.That(Post(WorkOpcode.Write, region, offset, length), Is.EqualTo(WorkStatus.Success));
                bytes.CopyTo(expected, at);
                return;
            }

            Assert.That(Post(WorkOpcode.Read, region, offset, length), Is.EqualTo(WorkStatus.Success));
            byte[] read = rig.Near.Read(local.Range);
            Assert.That(read.AsSpan(0, length).SequenceEqual(expected.AsSpan(at, length)), Is.True, $"{name}: {region}");
        }

        // A key that is over is an error whoever has its place now, and the pair is made anew after it.
        private void UseGoneKey()
        {
            if (gone.Count > 0)
            {
                Assert.That(Post(WorkOpcode.Write, gone[Below(gone.Count)], 0, 1), Is.EqualTo(WorkStatus.RemoteAccessError));
                pair.Dispose();
                rig.Near.Domain.TryCreateQueuePair(rig.Near.Sends, rig.Near.Receives, 4, out RdmaQueuePair? mine).ThrowIfError();
                rig.Across.Domain.TryCreateQueuePair(rig.Across.Sends, rig.Across.Receives, 4, out RdmaQueuePair? other).ThrowIfError();
                mine!.TryConnect(other!).ThrowIfError();
                pair = mine;
            }
        }

        private WorkStatus Post(WorkOpcode opcode, MemoryRegion remote, int offset, int length)
        {
            pair.TryPost(new WorkRequest(1, opcode, new LocalPiece(local.Range.Start, new ByteCount((ulong)length), local.Key))
            {
                RemoteAddress = remote.Range.Start.AddChecked(new ByteCount((ulong)offset)),
                RemoteKey = remote.Key,
            }).ThrowIfError();
            return rig.Near.Completed().Status;
        }

        private VirtAddr At(int offset) => memory.Start.AddChecked(new ByteCount((ulong)offset));
    }
}
