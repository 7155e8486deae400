using System.Net;
using Mm.Core;
using Mm.Devices.Nics.Flows;

namespace Mm.Devices.Tests.Nics.Flows;

internal sealed class FlowSteeringTests
{
    private static readonly FlowKey Flow = KeyOf("10.0.0.1", 1000, "10.0.0.2", 80);

    [Test]
    public void Rule_AtTheLowestLocation_Wins()
    {
        var steering = new FlowSteering(4);
        steering.TryAdd(new FlowRule { DestinationPort = 80, Queue = 2 }, out int first).ThrowIfError();
        steering.TryAdd(new FlowRule { SourceAddress = IPAddress.Parse("10.0.0.1"), Queue = 3 }, out int second).ThrowIfError();
        Assert.That((first, second, steering.Steer(Flow)), Is.EqualTo((0, 1, 2)));
        steering.TryRemove(0).ThrowIfError();
        Assert.That(steering.Steer(Flow), Is.EqualTo(3));
        Assert.That(steering.TryRemove(0), Is.EqualTo(Errno.ENOENT));
        steering.TryAdd(new FlowRule { Queue = 1 }, out first).ThrowIfError();
        Assert.That((first, steering.Steer(Flow)), Is.EqualTo((0, 1)));
    }

    [Test]
    public void Rule_ThatNamesNoQueue_IsRefused()
    {
        var steering = new FlowSteering(2);
        Assert.That(steering.TryAdd(new FlowRule { Queue = 2 }, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(steering.TryAdd(new FlowRule { Queue = -1 }, out _), Is.EqualTo(Errno.EINVAL));
        for (int index = 0; index < FlowSteering.MaxRules; index++)
        {
            steering.TryAdd(new FlowRule { Queue = 0 }, out _).ThrowIfError();
        }

        Assert.That(steering.TryAdd(new FlowRule { Queue = 0 }, out _), Is.EqualTo(Errno.ENOSPC));
    }

    [TestCase("10.0.0.9", 1000, "10.0.0.2", 80, false)]
    [TestCase("10.0.0.1", 1001, "10.0.0.2", 80, false)]
    [TestCase("10.0.0.1", 1000, "10.0.0.9", 80, false)]
    [TestCase("10.0.0.1", 1000, "10.0.0.2", 81, false)]
    [TestCase("10.0.0.1", 1000, "10.0.0.2", 80, true)]
    public void Rule_OfAllFields_FitsThatFlowAlone(string from, int fromPort, string to, int toPort, bool expected)
    {
        var rule = new FlowRule
        {
            SourceAddress = Flow.Source.Address,
            SourcePort = Flow.Source.Port,
            DestinationAddress = Flow.Destination.Address,
            DestinationPort = Flow.Destination.Port,
            Queue = 0,
        };
        Assert.That(rule.Fits(KeyOf(from, fromPort, to, toPort)), Is.EqualTo(expected));
    }

    [Test]
    public void Flows_WithoutARule_GoOverTheQueuesThatTheTableNames()
    {
        var steering = new FlowSteering(4);
        Assert.That(Hit(steering), Is.EquivalentTo(new[] { 0, 1, 2, 3 }));
        steering.TrySpread(2).ThrowIfError();
        Assert.That(Hit(steering), Is.EquivalentTo(new[] { 0, 1 }));
        Assert.That(steering.TrySpread(0), Is.EqualTo(Errno.EINVAL));
        Assert.That(steering.TrySpread(5), Is.EqualTo(Errno.EINVAL));
    }

    private static HashSet<int> Hit(FlowSteering steering) =>
        [.. Enumerable.Range(1, 500).Select(port => steering.Steer(KeyOf("10.0.0.1", port, "10.0.0.2", 80)))];

    private static FlowKey KeyOf(string from, int fromPort, string to, int toPort) =>
        new(new IPEndPoint(IPAddress.Parse(from), fromPort), new IPEndPoint(IPAddress.Parse(to), toPort));
}
