namespace Mm.Devices.Tests.Soak;

/// <summary>All devices at work on one machine by random steps, with resets, removals and memory that runs short.</summary>
internal sealed class DevicesSoakTests
{
    [TestCase(1UL)]
    [TestCase(2UL)]
    [TestCase(100UL)]
    public void Devices_AllAtWorkOnOneMachine_KeepEveryByteAndLeaveNothing(ulong seed) => Soak(seed, 400);

    /// <summary>Minutes long: <c>--filter TestCategory=Soak</c>.</summary>
    [Explicit("minutes long")]
    [Category("Soak")]
    [TestCase(20_000)]
    public void Devices_AllAtWorkForLong_KeepEveryByteAndLeaveNothing(int steps)
    {
        for (ulong seed = 100; seed < 110; seed++)
        {
            Soak(seed, steps);
        }
    }

    private static void Soak(ulong seed, int steps)
    {
        using var machine = new SoakMachine(seed);
        machine.Run(steps, validateEvery: 20);
        foreach ((string what, int count) in machine.Counts)
        {
            TestContext.Out.WriteLine($"{count,6} {what}");
        }
    }
}
