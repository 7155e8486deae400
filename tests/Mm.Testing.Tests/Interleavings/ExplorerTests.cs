using Mm.Core.Checks;
using Mm.Testing.Interleavings;

namespace Mm.Testing.Tests.Interleavings;

public sealed class ExplorerTests
{
    [TestCase(new[] { 0, 0 }, 2)]
    [TestCase(new[] { 1, 1 }, 6)]
    [TestCase(new[] { 2, 3 }, 35)]
    [TestCase(new[] { 0, 0, 0 }, 6)]
    [TestCase(new[] { 1, 1, 1 }, 90)]
    [TestCase(new[] { 1, 2, 3 }, 1260)]
    [TestCase(new[] { 1, 0, 1, 0 }, 180)]
    public void Explore_ActorsWithoutWaits_RunsTheMultinomialOfTheirSteps(int[] points, int schedules)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        Exploration found = new Explorer().Explore(yield =>
        {
            var order = new List<string>();
            var scenario = new Scenario();
            for (int actor = 0; actor < points.Length; actor++)
            {
                string name = $"a{actor}";
                int count = points[actor];
                scenario.Actor(name, () =>
                {
                    order.Add(name);
                    for (int point = 0; point < count; point++)
                    {
                        yield.Reach($"p{point}");
                        order.Add(name);
                    }
                });
            }

            return scenario.Finally("new order", () => seen.Add(string.Join(' ', order)));
        });

        Assert.That(found.Failure, Is.Null);
        Assert.That(found.IsComplete, Is.True);
        Assert.That(found.Schedules, Is.EqualTo(schedules));
        Assert.That(seen, Has.Count.EqualTo(schedules));
    }

    [Test]
    public void Explore_LostUpdate_IsFoundWithOneInterruption()
    {
        Exploration found = new Explorer().Explore(LostUpdate);

        Assert.That(found.Failure, Is.Not.Null);
        Assert.That(found.Failure!.Kind, Is.EqualTo(FailureKind.Broken));
        Assert.That(found.Failure.Message, Is.EqualTo("both counted"));
        Assert.That(found.Failure.Schedule.ToString(), Is.EqualTo("a@start, b@start, b@read, a@read"));
        Assert.That(() => found.ThrowIfFailed(), Throws.TypeOf<InterleavingFailedException>()
            .With.Message.Contains("a@start, b@start, b@read, a@read"));
    }

    [Test]
    public void Explore_LostUpdateWithoutInterruptions_Holds()
    {
        Exploration found = new Explorer { MaxInterruptions = 0 }.Explore(LostUpdate);

        Assert.That(found.ThrowIfFailed().Schedules, Is.EqualTo(2));
    }

    [Test]
    public void Replay_FailingSchedule_FailsAgain()
    {
        InterleavingFailure? failure = new Explorer().Replay(LostUpdate, Schedule.Parse("a@start, b@start, b@read, a@read"));

        Assert.That(failure?.Message, Is.EqualTo("both counted"));
    }

    [Test]
    public void Replay_HarmlessSchedule_Holds()
    {
        Assert.That(new Explorer().Replay(LostUpdate, Schedule.Parse("b@start, b@read")), Is.Null);
    }

    [Test]
    public void Replay_StepThatIsNotOpen_NamesTheOpenOnes()
    {
        Assert.That(
            () => new Explorer().Replay(LostUpdate, Schedule.Parse("a@start, a@write")),
            Throws.ArgumentException.With.Message.Contains("step 2 is a@write, but open are: a@read, b@start"));
    }

    [Test]
    public void Explore_LocksTakenInOppositeOrder_DeadlocksAndSaysWhoWaitsWhere()
    {
        Exploration found = new Explorer().Explore(points =>
        {
            var first = new ToyLock(points, "first");
            var second = new ToyLock(points, "second");
            return new Scenario()
                .Actor("a", () => Both(first, second))
                .Actor("b", () => Both(second, first));
        });

        Assert.That(found.Failure?.Kind, Is.EqualTo(FailureKind.Deadlock));
        Assert.That(found.Failure!.Message, Is.EqualTo("a waits at second, b waits at first"));
    }

    [Test]
    public void Explore_LocksTakenInOneOrder_HoldsInEverySchedule()
    {
        Exploration found = new Explorer().Explore(points =>
        {
            var first = new ToyLock(points, "first");
            var second = new ToyLock(points, "second");
            return new Scenario()
                .Actor("a", () => Both(first, second))
                .Actor("b", () => Both(first, second))
                .Actor("c", () => Both(first, second));
        });

        Assert.That(found.ThrowIfFailed().Schedules, Is.GreaterThan(6));
    }

    [Test]
    public void Explore_InvariantBrokenBetweenSteps_FailsAtThatStep()
    {
        Exploration found = new Explorer().Explore(points =>
        {
            int sum = 0;
            return new Scenario()
                .Actor("a", () =>
                {
                    sum++;
                    points.Reach("half");
                    sum--;
                })
                .Always("balanced", () => sum == 0);
        });

        Assert.That(found.Failure?.Schedule.ToString(), Is.EqualTo("a@start"));
    }

    [Test]
    public void Explore_ActorThatThrows_ReportsTheException()
    {
        Exploration found = new Explorer().Explore(points => new Scenario()
            .Actor("a", () => throw new InvalidDataException("torn"))
            .Actor("b", () => points.Reach("here")));

        Assert.That(found.Failure?.Kind, Is.EqualTo(FailureKind.Threw));
        Assert.That(found.Failure!.Message, Is.EqualTo("a threw InvalidDataException: torn"));
        Assert.That(found.Failure.Cause, Is.TypeOf<InvalidDataException>());
    }

    [Test]
    public void Explore_ActorThatNeverEnds_IsEndless()
    {
        Exploration found = new Explorer { MaxSteps = 50 }.Explore(points => new Scenario().Actor("a", () =>
        {
            while (true)
            {
                points.Reach("again");
            }
        }));

        Assert.That(found.Failure?.Kind, Is.EqualTo(FailureKind.Endless));
    }

    [Test]
    public void Explore_ScenarioThatDiffersFromRunToRun_IsRefused()
    {
        int run = 0;

        Assert.That(
            () => new Explorer().Explore(points =>
            {
                bool isFirst = run++ == 0;
                return new Scenario()
                    .Actor("a", () => points.WaitUntil("gate", () => isFirst))
                    .Actor("b", () => points.Reach("there"));
            }),
            Throws.InvalidOperationException.With.Message.Contains("not deterministic"));
    }

    [Test]
    public void Explore_ActorBlockedOutsideItsPoints_RunsOutOfPatience()
    {
        using var never = new SemaphoreSlim(0);

        Assert.That(
            () => new Explorer { Patience = TimeSpan.FromMilliseconds(50) }.Explore(
                _ => new Scenario().Actor("a", never.Wait)),
            Throws.TypeOf<TimeoutException>().With.Message.Contains("actor a did not come back from start"));
    }

    [Test]
    public void Explore_BoundOnSchedules_IsNotComplete()
    {
        Exploration found = new Explorer { MaxSchedules = 3 }.Explore(points => new Scenario()
            .Actor("a", () => points.Reach("x"))
            .Actor("b", () => points.Reach("x")));

        Assert.That(found, Is.EqualTo(new Exploration(3, IsComplete: false, Failure: null)));
        Assert.That(() => found.ThrowIfFailed(), Throws.InvalidOperationException);
    }

    [Test]
    public void Explore_FailingSchedule_RunsFinallyBlocksOfTheOthers()
    {
        int unwound = 0;

        new Explorer().Explore(points => new Scenario()
            .Actor("a", () =>
            {
                try
                {
                    points.WaitUntil("never", () => false);
                }
                finally
                {
                    unwound++;
                }
            }));

        Assert.That(unwound, Is.GreaterThanOrEqualTo(1));
    }

    [Test]
    public void WaitUntil_InSetupThatCannotEnd_Throws()
    {
        Assert.That(
            () => new Explorer().Explore(points =>
            {
                points.WaitUntil("gate", () => false);
                return new Scenario();
            }),
            Throws.InvalidOperationException);
    }

    private static Scenario LostUpdate(IYieldPoints points)
    {
        int value = 0;
        return new Scenario().Actor("a", Increment).Actor("b", Increment).Finally("both counted", () => value == 2);

        void Increment()
        {
            int read = value;
            points.Reach("read");
            value = read + 1;
        }
    }

    private static void Both(ToyLock outer, ToyLock inner)
    {
        outer.Enter();
        inner.Enter();
        inner.Leave();
        outer.Leave();
    }

    private sealed class ToyLock(IYieldPoints points, string name)
    {
        private bool isTaken;

        public void Enter()
        {
            points.WaitUntil(name, () => !isTaken);
            isTaken = true;
        }

        public void Leave() => isTaken = false;
    }
}
