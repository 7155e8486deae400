using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Tells how near two functions are, as <c>nvidia-smi topo -m</c> does.</summary>
internal static class RelationRule
{
    public static SmiRelation Of(TopologySnapshot snapshot, int provider, int client, int common)
    {
        if (provider == client)
        {
            return SmiRelation.Self;
        }

        PciFunction one = snapshot.Functions[provider];
        PciFunction other = snapshot.Functions[client];
        if (one.Host != other.Host)
        {
            return SmiRelation.None;
        }

        if (common >= 0)
        {
            return CountSwitches(snapshot, provider, client, common) <= 1 ? SmiRelation.Pix : SmiRelation.Pxb;
        }

        int bridge = snapshot.BridgeIndexes[provider];
        int otherBridge = snapshot.BridgeIndexes[client];
        if (bridge >= 0 && bridge == otherBridge)
        {
            return SmiRelation.Phb;
        }

        NodeId node = NodeOf(snapshot, provider);
        NodeId otherNode = NodeOf(snapshot, client);
        if (!node.IsKnown || !otherNode.IsKnown || node != otherNode)
        {
            return SmiRelation.Sys;
        }

        // Without host bridges the CPU is all that joins the two; NCCL calls that PHB.
        return bridge < 0 && otherBridge < 0 ? SmiRelation.Phb : SmiRelation.Node;
    }

    // A switch is its upstream port; a lone bridge between the two counts as one too. The two ends do not.
    private static int CountSwitches(TopologySnapshot snapshot, int provider, int client, int common)
    {
        int count = IsSwitch(snapshot, common) ? 1 : 0;
        foreach (int end in new[] { provider, client })
        {
            for (int at = end; at != common; at = snapshot.ParentIndexes[at])
            {
                count += at != end && IsSwitch(snapshot, at) ? 1 : 0;
            }
        }

        return count;
    }

    private static bool IsSwitch(TopologySnapshot snapshot, int index) =>
        snapshot.Functions[index].PortType is not (PciPortType.SwitchDownstream or PciPortType.RootPort);

    // A function without a node of its own is near its closest ancestor's, or its host bridge's.
    private static NodeId NodeOf(TopologySnapshot snapshot, int index)
    {
        for (int at = index; at >= 0; at = snapshot.ParentIndexes[at])
        {
            if (snapshot.Functions[at].Node.IsKnown)
            {
                return snapshot.Functions[at].Node;
            }
        }

        int bridge = snapshot.BridgeIndexes[index];
        return bridge < 0 ? NodeId.None : snapshot.HostBridges[bridge].Node;
    }
}
