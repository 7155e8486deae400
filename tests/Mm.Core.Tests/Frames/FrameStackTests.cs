using Mm.Core.Frames;

namespace Mm.Core.Tests.Frames;

public sealed class FrameStackTests
{
    [Test]
    public void Counters_OverRefillTakeReturnAndSpill_AddUp()
    {
        var stack = new FrameStack(0, MigrateType.Movable, 0);
        for (ulong frame = 0; frame < 10; frame++)
        {
            stack.Refill(frame);
        }

        for (ulong expected = 9; expected > 5; expected--)
        {
            Assert.That(stack.TryPop(out ulong frame), Is.True);
            Assert.That(frame, Is.EqualTo(expected), "last in, first out");
        }

        stack.Push(9);
        Assert.That((stack.Count, stack.Taken, stack.Returned), Is.EqualTo((7, 4L, 1L)));
        var oldest = new ulong[3];
        Assert.That(stack.TakeOldest(oldest), Is.EqualTo(3));
        Assert.That(oldest, Is.EqualTo(new ulong[] { 0, 1, 2 }));
        Assert.That(stack.ToArray(), Is.EqualTo(new ulong[] { 3, 4, 5, 9 }));
        Assert.That((stack.Count, stack.Taken, stack.Returned), Is.EqualTo((4, 4L, 1L)), "a spill is no return");
    }

    [TestCase(0, 0)]
    [TestCase(3, 3)]
    [TestCase(10, 10)]
    [TestCase(25, 10)]
    public void PopMany_TakesTheNewestAndCountsThem(int wanted, int given)
    {
        var stack = new FrameStack(0, MigrateType.Movable, 0);
        for (ulong frame = 0; frame < 10; frame++)
        {
            stack.Refill(frame);
        }

        var newest = new ulong[wanted];
        Assert.That(stack.PopMany(newest), Is.EqualTo(given));
        Assert.That(newest[..given], Is.EqualTo(Enumerable.Range(0, given).Select(static place => 9UL - (ulong)place)));
        Assert.That((stack.Count, stack.Taken, stack.Returned), Is.EqualTo((10 - given, (long)given, 0L)));
    }

    [Test]
    public void Pop_OfNone_IsRefused()
    {
        var stack = new FrameStack(0, MigrateType.Movable, 0);
        Assert.That(stack.TryPop(out _), Is.False);
        Assert.That((stack.Count, stack.Taken), Is.EqualTo((0, 0L)));
    }

    [TestCase(0, FrameStack.High)]
    [TestCase(Pageblocks.Order, FrameStack.HighLarge)]
    public void Stack_IsFullAtItsMark(int order, int high)
    {
        var stack = new FrameStack(0, MigrateType.Movable, order);
        for (int i = 0; i < high; i++)
        {
            Assert.That(stack.IsFull, Is.False);
            stack.Push((ulong)i << order);
        }

        Assert.That(stack.IsFull, Is.True);
    }
}
