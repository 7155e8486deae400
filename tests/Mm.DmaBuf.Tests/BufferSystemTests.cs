using Mm.Core;
using Mm.Core.Dma;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;
using Mm.DmaBuf.Tests.Attachments;

namespace Mm.DmaBuf.Tests;

internal sealed class BufferSystemTests
{
    [Test]
    public void System_FromTheStart_HasTheSystemHeap()
    {
        using var rig = new BufferRig();
        Assert.That(rig.System.Heaps.Names, Is.EqualTo(new[] { "system" }));
        Assert.That((rig.System.Machine, rig.System.Contexts.Clock), Is.EqualTo((rig.Machine, rig.Machine.Clock)));
        using FileTable files = rig.System.CreateFileTable();
        Assert.That(rig.System.Heaps.TryAllocate("system", new HeapRequest(new(1)), files, out _).IsOk, Is.True);
        rig.System.Validate();
    }

    /// <summary>Export, install, attach, map, pin and view, with each allocation failing in turn: nothing is freed twice, no pin is left.</summary>
    [TestCase("failslab")]
    [TestCase("fail_page_alloc")]
    public void Program_FailedAtEachAllocation_LeavesNothing(string pointName)
    {
        using var rig = new PeerRig();
        var point = new FaultPoint(pointName);
        PageCount before = rig.Ram.InUse;
        ulong failures;
        ulong nth = 0;
        do
        {
            rig.Machine.Faults.FailNth(point, ++nth);
            Errno errno = Run(rig);
            failures = rig.Machine.Faults.FailureCount(point);
            rig.Machine.Faults.Clear();
            // A folio that is not there is made up for by smaller ones.
            Assert.That(errno.IsOk || (failures == 1 && errno == Errno.ENOMEM), Is.True, $"{nth}: {errno}");
            Assert.That(rig.Ram.InUse, Is.EqualTo(before), $"{nth}");
            Assert.That(rig.System.Buffers.Count, Is.Zero, $"{nth}");
            Assert.That((rig.Near.LiveMappings, rig.Far.LiveMappings), Is.EqualTo((0, 0)), $"{nth}");
        }
        while (failures != 0);

        Assert.That(nth, Is.GreaterThan(2));
        rig.Pci.Validate();
    }

    private static Errno Run(PeerRig rig)
    {
        Errno errno = MovingBuffer.TryExport(
            rig.System.Buffers, rig.Pci.Owners, rig.Provider, [rig.Vram(0, 2)], out MovingBuffer? exporter, out BufferHandle? handle);
        if (!errno.IsOk)
        {
            return errno;
        }

        using FileTable files = rig.System.CreateFileTable();
        using (handle)
        {
            errno = files.TryInstall(handle!, out _);
            errno = errno.IsOk ? UseDynamically(rig, handle!) : errno;
            errno = errno.IsOk ? UseStatically(rig, handle!) : errno;
            Assert.That(exporter!.PinCount, Is.Zero);
        }

        return errno;
    }

    private static Errno UseDynamically(PeerRig rig, BufferHandle handle)
    {
        Errno errno = BufferAttachment.TryAttach(handle, rig.Near, new FakeImporter(), out BufferAttachment? attachment);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (attachment)
        {
            using ReservationLock held = handle.Buffer.Reservation.Lock();
            errno = attachment!.TryPin(held, out _);
            errno = errno.IsOk ? attachment.TryMap(held, DmaDirection.ToDevice, out _) : errno;
            if (errno.IsOk)
            {
                errno = handle.Buffer.TryView(held, out KernelView? view);
                view?.Dispose();
            }
        }

        return errno;
    }

    private static Errno UseStatically(PeerRig rig, BufferHandle handle)
    {
        Errno errno = BufferAttachment.TryAttach(handle, rig.Far, importer: null, out BufferAttachment? attachment);
        attachment?.Dispose();
        return errno;
    }
}
