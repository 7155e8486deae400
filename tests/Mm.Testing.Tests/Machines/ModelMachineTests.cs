using FsCheck;
using FsCheck.Fluent;
using Mm.Testing.Machines;

namespace Mm.Testing.Tests.Machines;

public sealed class ModelMachineTests
{
    [FsCheck.NUnit.Property]
    public Property RightQueue_EveryProgram_Holds() => new QueueMachine(capacity: int.MaxValue).ToProperty();

    [Test]
    public void PlantedBug_IsFoundAndShrunkToTheOperationsThatMatter()
    {
        Exception failure = Assert.Catch(
            () => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), new QueueMachine(capacity: 2).ToProperty()))!;

        string shrunk = failure.ToString();
        shrunk = shrunk[shrunk.IndexOf("Shrunk", StringComparison.Ordinal)..];
        Assert.That(shrunk, Does.Contain("  1. put 0").And.Contain("  2. put 0").And.Contain("  3. put 0"));
        Assert.That(shrunk, Does.Not.Contain("  4. "));
    }

    [Test]
    public void Run_OperationThatDiffers_IsMarkedInTheListing()
    {
        var program = new MachineProgram<BoundedQueue, Queue<int>>([new Put(1), new Put(2), new Take()]);

        Assert.That(
            () => program.Run(new QueueMachine(capacity: 1)),
            Throws.TypeOf<MachineFailedException>().With.Message.Contains("operation 2 of 3 failed")
                .And.Message.Contains(">  2. put 2"));
    }

    [Test]
    public void Shrink_OperationThatIsNoLongerAllowed_IsLeftOut()
    {
        var program = new MachineProgram<BoundedQueue, Queue<int>>([new Put(1), new Take()]);

        foreach (MachineProgram<BoundedQueue, Queue<int>> smaller in program.Shrink(new QueueMachine(capacity: 9)))
        {
            bool startsWithTake = smaller.Operations.Count > 0 && smaller.Operations[0] is Take;
            Assert.That(startsWithTake, Is.False, smaller.ToString());
        }
    }

    [Test]
    public void Run_ActualThatIsDisposable_IsDisposedAlsoAfterAFailure()
    {
        var machine = new QueueMachine(capacity: 0);

        Assert.That(() => new MachineProgram<BoundedQueue, Queue<int>>([new Put(1)]).Run(machine), Throws.Exception);
        Assert.That(machine.Last!.IsDisposed, Is.True);
    }

    [Test]
    public void Of_Delegates_MakeAnOperation()
    {
        MachineOperation<BoundedQueue, Queue<int>> drop = MachineOperation<BoundedQueue, Queue<int>>.Of(
            "drop",
            (actual, _) => actual.Take(),
            model =>
            {
                model.Dequeue();
                return model;
            },
            model => model.Count > 0);

        Assert.That(drop.ToString(), Is.EqualTo("drop"));
        Assert.That(drop.CanRun(new Queue<int>()), Is.False);
        Assert.That(drop.Shrink(), Is.Empty);
        new MachineProgram<BoundedQueue, Queue<int>>([new Put(1), drop]).Run(new QueueMachine(capacity: 1));
    }

    // Drops what does not fit: the planted bug, where the model has room without end.
    private sealed class BoundedQueue(int capacity) : IDisposable
    {
        private readonly Queue<int> items = new();

        public int Count => items.Count;

        public bool IsDisposed { get; private set; }

        public void Put(int item)
        {
            if (items.Count < capacity)
            {
                items.Enqueue(item);
            }
        }

        public int Take() => items.Dequeue();

        public void Dispose() => IsDisposed = true;
    }

    private sealed class QueueMachine(int capacity) : ModelMachine<BoundedQueue, Queue<int>>
    {
        public BoundedQueue? Last { get; private set; }

        public override BoundedQueue StartActual() => Last = new BoundedQueue(capacity);

        public override Queue<int> StartModel() => new Queue<int>();

        public override Gen<MachineOperation<BoundedQueue, Queue<int>>> Next(Queue<int> model) => Gen.OneOf(
            Gen.Choose(0, 9).Select(item => (MachineOperation<BoundedQueue, Queue<int>>)new Put(item)),
            Gen.Constant((MachineOperation<BoundedQueue, Queue<int>>)new Take()));

        public override void CheckInvariants(BoundedQueue actual, Queue<int> model)
        {
            if (actual.Count != model.Count)
            {
                throw new InvalidOperationException($"count is {actual.Count}, must be {model.Count}");
            }
        }
    }

    private sealed class Put(int item) : MachineOperation<BoundedQueue, Queue<int>>
    {
        public override void Check(BoundedQueue actual, Queue<int> model) => actual.Put(item);

        public override Queue<int> Advance(Queue<int> model)
        {
            model.Enqueue(item);
            return model;
        }

        public override IEnumerable<MachineOperation<BoundedQueue, Queue<int>>> Shrink() => item == 0 ? [] : [new Put(0)];

        public override string ToString() => $"put {item}";
    }

    private sealed class Take : MachineOperation<BoundedQueue, Queue<int>>
    {
        public override bool CanRun(Queue<int> model) => model.Count > 0;

        public override void Check(BoundedQueue actual, Queue<int> model)
        {
            int taken = actual.Take();
            if (taken != model.Peek())
            {
                throw new InvalidOperationException($"took {taken}, must be {model.Peek()}");
            }
        }

        public override Queue<int> Advance(Queue<int> model)
        {
            model.Dequeue();
            return model;
        }

        public override string ToString() => "take";
    }
}
