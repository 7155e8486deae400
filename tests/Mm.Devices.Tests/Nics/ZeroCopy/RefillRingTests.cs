using Mm.Devices.Nics.ZeroCopy;

namespace Mm.Devices.Tests.Nics.ZeroCopy;

internal sealed class RefillRingTests
{
    [Test]
    public void Entries_Pushed_AreReadInOrder()
    {
        var ring = new RefillRing(4);
        for (ulong round = 0; round < 10; round++)
        {
            Assert.That(ring.TryPush(new RefillEntry(round)), Is.True);
            Assert.That((ring.CountReady(), ring.Read().Place), Is.EqualTo((1U, round)));
        }

        for (ulong index = 0; index < 4; index++)
        {
            Assert.That(ring.TryPush(new RefillEntry(index)), Is.True);
        }

        Assert.That(ring.TryPush(default), Is.False, "full");
        Assert.That((ring.Head, ring.Tail, ring.Capacity), Is.EqualTo((10U, 14U, 4)));
    }

    /// <summary>U3: a tail that skips beyond the ring counts as the entries that there are.</summary>
    [TestCase(5U, 4U)]
    [TestCase(uint.MaxValue, 4U)]
    [TestCase(3U, 3U)]
    public void Tail_BeyondTheRing_IsAsFarAsTheRingGoes(uint tail, uint expected)
    {
        var ring = new RefillRing(4) { Tail = tail };

        Assert.That(ring.CountReady(), Is.EqualTo(expected));
    }

    [Test]
    public void Entry_OfAPlace_TellsAreaAndOffset()
    {
        var entry = new RefillEntry((3UL << 48) | 0x5000);
        Assert.That((entry.Area, entry.Offset.Value), Is.EqualTo((3, 0x5000UL)));
    }

    [Test]
    public void Completions_BeyondTheRoom_AreNot()
    {
        var buffer = new CompletionBuffer(1);
        buffer.Add(new ReceiveCompletion(4096, new Core.ByteCount(9)));
        Assert.That((buffer.HasRoom, buffer.Count, buffer.Capacity), Is.EqualTo((false, 1, 1)));
        Assert.That(buffer.TryTake(out ReceiveCompletion taken), Is.True);
        Assert.That((taken.Offset.Value, buffer.TryTake(out _)), Is.EqualTo((4096UL, false)));
        Assert.That(() => new CompletionBuffer(-1), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }
}
