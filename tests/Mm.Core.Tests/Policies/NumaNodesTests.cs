using Mm.Core.Policies;

namespace Mm.Core.Tests.Policies;

public sealed class NumaNodesTests
{
    private static MachineBuilder Builder() => Machine.CreateBuilder()
        .AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(4)))
        .AddRam(new NodeId(2), new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromMiB(4)));

    [Test]
    public void Nodes_UnlessSaid_HaveCpusWhereRamIs()
    {
        using Machine machine = Builder().Build();
        Assert.That(machine.Nodes.WithCpus, Is.EqualTo(machine.Nodes.WithMemory));
        Assert.That((machine.Nodes.WithMemory.Count, machine.Nodes.IsOnline(new NodeId(1))), Is.EqualTo((2, false)));
    }

    [Test]
    public void Nodes_WithoutRamOrCpus_ExistByTheirDevices()
    {
        using Machine machine = Builder().WithCpusOn(new NodeId(1), new NodeId(2)).Build();
        var window = new PhysRange(new PhysAddr(1UL << 40), ByteCount.FromMiB(2));
        Assert.That(machine.Nodes.IsOnline(new NodeId(7)), Is.False);
        Assert.That(machine.TryAddDeviceWindow("gpu", window, out AddressRegion? region, new NodeId(7)), Is.EqualTo(Errno.Ok));
        NumaNodes nodes = machine.Nodes;
        Assert.That((nodes.IsOnline(new NodeId(7)), nodes.IsOnline(new NodeId(1)), nodes.IsOnline(NodeId.None)), Is.EqualTo((true, true, false)));
        Assert.That((nodes.WithMemory.Contains(new NodeId(7)), nodes.WithCpus.Contains(new NodeId(0))), Is.EqualTo((false, false)));
        machine.TryRemoveRegion(region!).ThrowIfError();
        Assert.That(nodes.IsOnline(new NodeId(7)), Is.False);
    }

    [Test]
    public void Weights_AreOneUnlessSet()
    {
        using Machine machine = Builder().Build();
        NumaNodes nodes = machine.Nodes;
        Assert.That(nodes.TrySetWeight(new NodeId(2), 255), Is.EqualTo(Errno.Ok));
        Assert.That((nodes.WeightOf(new NodeId(0)), nodes.WeightOf(new NodeId(2))), Is.EqualTo((1, 255)));
        Assert.That(nodes.TrySetWeight(new NodeId(2), 0), Is.EqualTo(Errno.Ok));
        Assert.That(nodes.WeightOf(new NodeId(2)), Is.EqualTo(1));
        Assert.That((nodes.TrySetWeight(new NodeId(2), 256), nodes.TrySetWeight(new NodeId(2), -1)), Is.EqualTo((Errno.EINVAL, Errno.EINVAL)));
        Assert.That(() => nodes.WeightOf(NodeId.None), Throws.ArgumentException);
    }

    [Test]
    public void Builder_WantsANodeWithCpus()
    {
        Assert.That(() => Builder().WithCpusOn(), Throws.ArgumentException);
        Assert.That(() => Builder().WithCpusOn(NodeId.None), Throws.ArgumentException);
    }
}
