using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Reservations;

internal sealed class ReservationReaderTests
{
    private readonly FenceRig rig = new();

    [Test]
    public void Reader_WhenTheListIsExchanged_StartsAnew()
    {
        var reservation = new Reservation(rig.Contexts);
        Add(reservation, 4);
        ReservationReader reader = reservation.Read(FenceUsage.Read);
        Assert.That(reader.MoveNext() && reader.MoveNext(), Is.True);
        Assert.That(reader.IsRestarted, Is.False);
        Add(reservation, 1);
        Assert.That(reader.MoveNext(), Is.True);
        Assert.That(reader.IsRestarted, Is.True);
        Assert.That(reader.Current, Is.SameAs(reservation.GetFences(FenceUsage.Read)[0]));
    }

    [Test]
    public void Reader_AtNoFence_HasNoCurrent()
    {
        var reservation = new Reservation(rig.Contexts);
        Assert.That(
            () =>
            {
                ReservationReader reader = reservation.Read(FenceUsage.Read);
                _ = reader.MoveNext();
                return reader.Current;
            },
            Throws.InvalidOperationException);
    }

    private void Add(Reservation reservation, int count)
    {
        using ReservationLock held = reservation.Lock();
        held.TryReserve(count).ThrowIfError();
        for (int each = 0; each < count; each++)
        {
            held.Add(rig.Fence(), FenceUsage.Read);
        }
    }
}
