using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Buffers;

/// <summary>A process that writes through its map while the buffer moves or is taken away, in every order of their steps.</summary>
internal sealed class BufferAreaInterleavings
{
    [Test]
    public void Write_AgainstAMove_IsNeverLost()
    {
        Exploration result = new Explorer().Explore(static points =>
        {
            var rig = new PeerRig(); // without points: the reservation is no lock that the explorer sees
            BufferHandle handle = rig.Moving(out MovingBuffer exporter, pages: 1);
            AddressSpace space = BufferAreaTests.Space(rig.Machine);
            VirtRange range = BufferAreaTests.Map(space, handle.Buffer, 1);
            return new Scenario()
                .Actor("process", () =>
                {
                    for (byte value = 1; value <= 2; value++)
                    {
                        Assert.That(space.Write(range.Start.AddChecked(new ByteCount(value)), [value]), Is.EqualTo(FaultResult.Done));
                        points.Reach("between-writes");
                    }
                })
                .Actor("owner", () => exporter.TryMoveToRam().ThrowIfError())
                .Finally("both writes are there after the move", () =>
                {
                    byte[] read = new byte[3];
                    using (KernelView view = BufferRig.View(handle.Buffer))
                    {
                        view.TryRead(ByteCount.Zero, read).ThrowIfError();
                    }

                    space.Dispose();
                    handle.Dispose();
                    rig.Dispose();
                    return read.AsSpan().SequenceEqual((byte[])[0, 1, 2]);
                });
        });
        Assert.That(result.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }

    [Test]
    public void Write_AfterARevocationHasReturned_NeverReachesTheBar()
    {
        Exploration result = new Explorer().Explore(static points =>
        {
            var rig = new PeerRig(); // without points: the reservation is no lock that the explorer sees
            BufferHandle handle = BufferAreaTests.Bar(rig, out BarBuffer exporter);
            AddressSpace space = BufferAreaTests.Space(rig.Machine);
            VirtRange range = BufferAreaTests.Map(space, handle.Buffer, 1);
            bool isRevoked = false;
            bool hasReached = false;
            return new Scenario()
                .Actor("process", () =>
                {
                    for (int time = 0; time < 2; time++)
                    {
                        bool wasRevoked = isRevoked;
                        FaultResult seen = space.Write(range.Start, [9]);
                        hasReached |= wasRevoked && seen == FaultResult.Done;
                        points.Reach("between-writes");
                    }
                })
                .Actor("owner", () =>
                {
                    exporter.TryRevoke().ThrowIfError();
                    isRevoked = true;
                })
                .Always("what is taken away is not reached", () => !hasReached)
                .Finally("nothing is left", () =>
                {
                    bool isGone = space.Read(range.Start, new byte[1]) == FaultResult.BusError;
                    space.Dispose();
                    handle.Dispose();
                    rig.Dispose();
                    return isGone;
                });
        });
        Assert.That(result.ThrowIfFailed().Schedules, Is.GreaterThan(2));
    }
}
