using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Nvme;
using static Mm.Devices.Tests.Nvme.NvmeRig;

namespace Mm.Devices.Tests.Nvme;

/// <summary>Random reads and writes over RAM and two peers' memory, cut anyhow, against plain arrays.</summary>
internal sealed class NvmeQueuePairProperties
{
    private const int PlaceBytes = 0x1_0000;

    [Test]
    public void ReadsAndWrites_OfAnyLists_MoveTheBytesThatArraysWouldMove(
        [Values(1, 2, 3)] int seed, [Values] bool isTranslated, [Values] DataPointerKind kind)
    {
        using var rig = new NvmeRig(
            new NvmeOptions { Pointers = kind, MaxTransfer = ByteCount.FromKiB(16) }, isTranslated, fileKiB: 128);
        MachineRandom random = rig.Machine.CreateRandom($"program {seed}");
        PhysRange[] places = [rig.Ram(), Bar(rig.A, 0x20_0000, PlaceBytes), Bar(rig.B, 0x40_0000, PlaceBytes)];
        byte[][] memory = [.. places.Select(place => rig.Read(rig.List(place)))];
        byte[] disk = [.. rig.Content];
        int done = 0;
        for (int step = 0; step < 60; step++)
        {
            bool isBlocks = kind == DataPointerKind.Prp;
            List<(int Place, int Offset, int Length)> parts = Parts(random, isBlocks);
            int length = parts.Sum(static part => part.Length);
            int offset = (int)random.NextBelow((ulong)((disk.Length - length) / 512)) * 512;
            bool isRead = random.NextBelow(2) == 0;
            PhysRangeList list = rig.List([.. parts.Select(part => places[part.Place].Slice(Bytes((ulong)part.Offset), Bytes((ulong)part.Length)))]);
            Errno errno = rig.Queue.TryTransfer(
                isRead ? NvmeOpcode.Read : NvmeOpcode.Write, rig.Blocks, Bytes((ulong)offset), list);
            if (errno == Errno.EINVAL && kind != DataPointerKind.Sgl)
            {
                continue; // no whole blocks of an owner, or pages that cannot name it
            }

            Assert.That(errno, Is.EqualTo(Errno.Ok), $"seed {seed}, step {step}: {list}");
            done++;
            foreach ((int place, int at, int bytes) in parts)
            {
                (byte[] from, int start, byte[] to, int target) = isRead ? (disk, offset, memory[place], at) : (memory[place], at, disk, offset);
                from.AsSpan(start, bytes).CopyTo(to.AsSpan(target));
                offset += bytes;
            }
        }

        Assert.That(done, Is.GreaterThan(5));
        for (int place = 0; place < places.Length; place++)
        {
            Assert.That(rig.Read(rig.List(places[place])), Is.EqualTo(memory[place]), $"seed {seed}: place {place}");
        }

        Assert.That(File.ReadAllBytes(rig.DiskPath), Is.EqualTo(disk), $"seed {seed}");
    }

    // Disjoint parts, since a read into bytes that are named twice has no one answer: each place is walked upwards once.
    private static List<(int Place, int Offset, int Length)> Parts(MachineRandom random, bool isBlocks)
    {
        var parts = new List<(int Place, int Offset, int Length)>();
        int count = 1 + (int)random.NextBelow(4);
        int unit = isBlocks ? 4096 : 512;
        int[] next = new int[3];
        for (int index = 0; index < count; index++)
        {
            int place = (int)random.NextBelow(3);
            int offset = next[place] + ((int)random.NextBelow(3) * unit);
            int length = (1 + (int)random.NextBelow(6)) * unit;
            if (offset + length <= PlaceBytes)
            {
                parts.Add((place, offset, length));
                next[place] = offset + length;
            }
        }

        return parts.Count > 0 ? parts : [(0, 0, unit)];
    }
}
