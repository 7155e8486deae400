using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Policies;
using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

/// <summary>A machine of three nodes with RAM, the last without CPUs, and node 5, which has a device's memory alone.</summary>
internal sealed class NodeRig : IDisposable
{
    internal static readonly NodeId Node0 = new(0);
    internal static readonly NodeId Node1 = new(1);
    internal static readonly NodeId Node2 = new(2);
    internal static readonly NodeId DeviceNode = new(5);

    internal NodeRig(ulong nodeMiB = 8, Action<MachineBuilder>? shape = null, IYieldPoints? points = null)
    {
        Rig = new SpaceRig(
            points,
            shape: builder =>
            {
                AddNode(builder, Node1, nodeMiB);
                AddNode(builder, Node2, nodeMiB);
                _ = builder.WithCpusOn(Node0, Node1)
                    .WithNodeDistance(Node0, Node1, 21).WithNodeDistance(Node0, Node2, 40).WithNodeDistance(Node1, Node2, 30)
                    .AddDeviceWindow("device", new PhysRange(new PhysAddr(1UL << 40), new ByteCount(SpaceRig.Large)), DeviceNode);
                shape?.Invoke(builder);
            },
            ramMiB: nodeMiB);
    }

    internal SpaceRig Rig { get; }

    internal AddressSpace Space => Rig.Space;

    internal Placement Placement => Space.Placement;

    public void Dispose() => Rig.Dispose();

    internal static NodeSet Of(params ReadOnlySpan<NodeId> nodes) => new(nodes);

    /// <summary>The node of the page at an address.</summary>
    internal NodeId NodeOf(ulong page, AddressSpace? of = null) => Rig.Frames.Describe(Rig.Entry(page, of).Frame).Node;

    /// <summary>The nodes of pages, as <c>0012</c>.</summary>
    internal string NodesOf(ulong page, ulong count) =>
        string.Concat(Enumerable.Range(0, (int)count).Select(index => NodeOf(page + (ulong)index).Index));

    internal void Bind(ulong page, ulong count, PolicyMode mode, NodeSet nodes = default, BindFlags flags = BindFlags.None) =>
        Assert.That(TryBind(page, count, mode, nodes, flags), Is.EqualTo(Errno.Ok));

    internal Errno TryBind(ulong page, ulong count, PolicyMode mode, NodeSet nodes = default, BindFlags flags = BindFlags.None) =>
        Space.TryBind(SpaceRig.At(page), SpaceRig.Pages(count), mode, nodes, flags);

    internal void WriteAll(ulong page, ulong count)
    {
        for (ulong index = 0; index < count; index++)
        {
            Rig.Write(page + index, (byte)(index + 1));
        }
    }

    internal void ReadsAll(ulong page, ulong count)
    {
        for (ulong index = 0; index < count; index++)
        {
            Assert.That(Rig.Read(page + index), Is.EqualTo((byte)(index + 1)), $"page {page + index}");
        }
    }

    /// <summary>Takes every page of a node.</summary>
    internal List<PageRef> FillNode(NodeId node)
    {
        var taken = new List<PageRef>();
        AllocationRequest request = AllocationRequest.User with { Node = node, IsThisNodeOnly = true };
        while (Rig.Machine.Allocator.TryAllocate(request, out PageRef page).IsOk)
        {
            taken.Add(page);
        }

        return taken;
    }

    private static void AddNode(MachineBuilder builder, NodeId node, ulong nodeMiB) =>
        builder.AddRam(node, new PhysRange(new PhysAddr(((ulong)node.Index * 1024) << 20), ByteCount.FromMiB(nodeMiB)));
}
