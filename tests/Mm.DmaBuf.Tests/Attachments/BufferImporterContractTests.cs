using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Attachments;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BufferImporterContractTests : IDisposable
{
    private readonly PeerRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void OnMove_ChangingWhatItAllows_IsABrokenPromise()
    {
        AssertBroken((importer, _) => importer.AllowsPeerToPeer = false, "never change");
    }

    [Test]
    public void OnMove_Waiting_IsABrokenPromise()
    {
        AssertBroken((_, _) => rig.Machine.Clock.AdvanceNs(1), "must not wait");
    }

    [Test]
    public void OnMove_LeavingTheLock_IsABrokenPromise()
    {
        AssertBroken((_, buffer) => buffer.Reservation.Holder = 0, "must not leave");
    }

    private void AssertBroken(Action<FakeImporter, DmaBuffer> mistake, string promise)
    {
        using BufferHandle handle = rig.Moving(out _);
        var importer = new FakeImporter();
        BufferAttachment.TryAttach(handle, rig.Near, importer, out BufferAttachment? attachment).ThrowIfError();
        using (attachment)
        {
            importer.Then = each => mistake(importer, each.Buffer);
            string? message = null;
            using (ReservationLock held = handle.Buffer.Reservation.Lock())
            {
                try
                {
                    BufferImporterContract.OnMove(importer, attachment!, held, MoveNotice.MayMove);
                }
                catch (ArgumentException broken)
                {
                    message = broken.Message;
                }

                handle.Buffer.Reservation.Holder = Environment.CurrentManagedThreadId;
            }

            Assert.That(message, Does.Contain(promise));
        }
    }
}
