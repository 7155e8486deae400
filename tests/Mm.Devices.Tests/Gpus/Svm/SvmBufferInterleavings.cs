using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Gpus.Svm;

/// <summary>A peer that writes memory of a process on the GPU, against what takes it away: no byte lands where it should not.</summary>
internal sealed class SvmBufferInterleavings
{
    private const ulong Base = 0x4000_0000;

    [Test]
    public void PeerWriteAndCpuTouch_InEveryOrder_EitherLandsOrFaults()
    {
        var ends = new HashSet<bool>();
        Exploration done = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            var options = new SvmOptions { Chunks = [ByteCount.FromKiB(4)] };
            var rig = new SvmRig(memoryKiB: 2048, visibleKiB: 64, options, points);
            VirtRange array = rig.Map(4096, at: Base);
            Assert.That(rig.Space.Write(array.Start, [1, 1]), Is.EqualTo(FaultResult.Done));
            rig.Svm.TryShare(array, out SvmBuffer? exporter, out BufferHandle? handle).ThrowIfError();
            BufferAttachment near = GpuRig.Attach(handle!, rig.Gpu.Near, new TellingImporter());
            BufferMapping mapping = GpuRig.Map(near);
            DmaAddr address = mapping.Segments[0].Address;
            bool hasLanded = false;
            return new Scenario()
                .Actor("peer", () =>
                {
                    points.Reach("before-write");
                    hasLanded = rig.Gpu.Near.Port.TryWrite(address, [7], out _).IsOk;
                    points.Reach("after-write");
                })
                .Actor("cpu", () => Assert.That(rig.Space.Write(new VirtAddr(Base + 1), [2]), Is.EqualTo(FaultResult.Done)))
                .Finally("what landed is there, and what did not is not", () =>
                {
                    _ = ends.Add(hasLanded);
                    byte[] seen = rig.CpuRead(new VirtRange(array.Start, new ByteCount(2)));
                    return seen.AsSpan().SequenceEqual((ReadOnlySpan<byte>)[hasLanded ? (byte)7 : (byte)1, 2]);
                })
                .Finally("the peer has no address any more", () =>
                {
                    bool isDead = !rig.Gpu.Near.Port.TryWrite(address, [9], out _).IsOk && !exporter!.IsThere;
                    mapping.Dispose();
                    near.Dispose();
                    handle!.Dispose();
                    rig.Dispose();
                    return isDead;
                });
        });
        done.ThrowIfFailed();
        Assert.That(ends, Has.Count.EqualTo(2), "the schedules cover both ends");
    }
}
