using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>Asks the allow list about the host bridges of one snapshot.</summary>
/// <remarks>
/// <para><b>Linux:</b> pci_host_bridge_dev, __host_bridge_whitelist and host_bridge_whitelist (drivers/pci/p2pdma.c,
/// v6.12). "Same host bridge" is the identity of the host bridge, also for a path that an ACS bit sends up there from a
/// common bridge below it.</para>
/// <para>Immutable; the answers are worked out once.</para>
/// </remarks>
internal sealed class HostBridgeRule
{
    private static readonly HostBridgeAnswer UnknownBridge = new(null, null, null, HostBridgeOutcome.HostBridgeUnknown);

    private readonly P2pRules rules;
    private readonly HostBridgeAnswer[] withinOne;
    private readonly HostBridgeAnswer[] betweenTwo;

    public HostBridgeRule(TopologySnapshot snapshot, P2pRules rules)
    {
        this.rules = rules;
        int count = snapshot.HostBridges.Count;
        withinOne = new HostBridgeAnswer[count];
        betweenTwo = new HostBridgeAnswer[count];
        for (int i = 0; i < count; i++)
        {
            HostBridge bridge = snapshot.HostBridges[i];
            PciFunction? first = FirstDevice(snapshot, bridge, i);
            withinOne[i] = Ask(bridge, first, isSameBridge: true);
            betweenTwo[i] = Ask(bridge, first, isSameBridge: false);
        }
    }

    /// <summary>The answer for one bridge by index; -1 is a bridge that is not known.</summary>
    public HostBridgeAnswer AnswerFor(int bridge, bool isSameBridge) =>
        bridge < 0 ? UnknownBridge : isSameBridge ? withinOne[bridge] : betweenTwo[bridge];

    /// <summary>Whether traffic between functions below two bridges, perhaps one, is allowed by the list.</summary>
    public bool? IsAllowed(int providerBridge, int clientBridge)
    {
        if (providerBridge < 0 || clientBridge < 0)
        {
            return IsAllowedWithUnknown(Math.Max(providerBridge, clientBridge));
        }

        if (providerBridge == clientBridge)
        {
            return withinOne[providerBridge].IsAllowed;
        }

        bool? provider = betweenTwo[providerBridge].IsAllowed;
        bool? client = rules.AsksBothHostBridges ? betweenTwo[clientBridge].IsAllowed : true;
        if (provider == false || client == false)
        {
            return false;
        }

        return provider == true && client == true ? true : null;
    }

    // A bridge that is refused even for traffic within itself is refused whatever the unknown one is.
    private bool? IsAllowedWithUnknown(int known) =>
        known >= 0 && withinOne[known].IsAllowed == false ? false : null;

    private PciFunction? FirstDevice(TopologySnapshot snapshot, HostBridge bridge, int index)
    {
        if (rules.FirstDevice == FirstDeviceRule.LastOnBus)
        {
            IReadOnlyList<PciFunction> roots = snapshot.CollectRootFunctions(bridge);
            return roots.Count == 0 ? null : roots[^1];
        }

        int first = snapshot.FirstOnRootIndexes[index];
        return first < 0 ? null : snapshot.Functions[first];
    }

    private HostBridgeAnswer Ask(HostBridge bridge, PciFunction? first, bool isSameBridge)
    {
        // A list in part still has the right first device when that is 00.0, which a scan always finds first.
        if (!bridge.IsRootBusComplete && first?.Address.IsDeviceZero != true)
        {
            return new HostBridgeAnswer(bridge, null, null, HostBridgeOutcome.FirstDeviceUnknown);
        }

        if (first is null)
        {
            return new HostBridgeAnswer(bridge, null, null, HostBridgeOutcome.NoFirstDevice);
        }

        bool? isSuitable = IsSuitable(first);
        if (isSuitable == false)
        {
            return new HostBridgeAnswer(bridge, first, null, HostBridgeOutcome.FirstDeviceUnsuitable);
        }

        if (first.Id is not { } id)
        {
            return new HostBridgeAnswer(bridge, first, null, HostBridgeOutcome.FirstDeviceIdUnknown);
        }

        HostBridgeEntry? entry = rules.Find(id);
        return new HostBridgeAnswer(bridge, first, entry, Outcome(entry, isSuitable, isSameBridge));
    }

    private HostBridgeOutcome Outcome(HostBridgeEntry? entry, bool? isSuitable, bool isSameBridge)
    {
        if (entry is null)
        {
            return HostBridgeOutcome.NotListed;
        }

        bool needsSame = entry.RequiresSameHostBridge && rules.HonoursSameHostBridge;
        if (needsSame && !isSameBridge)
        {
            return HostBridgeOutcome.NeedsSameBridge;
        }

        if (isSuitable is null)
        {
            return HostBridgeOutcome.FirstDeviceTypeUnknown;
        }

        return needsSame ? HostBridgeOutcome.ListedForSameBridge : HostBridgeOutcome.Listed;
    }

    private bool? IsSuitable(PciFunction first) => rules.FirstDevice switch
    {
        FirstDeviceRule.LastOnBus => true,
        FirstDeviceRule.DeviceZeroOnly => first.Address.IsDeviceZero,
        FirstDeviceRule.RootPortOnly => IsRootPort(first),
        _ => first.Address.IsDeviceZero ? true : IsRootPort(first),
    };

    private static bool? IsRootPort(PciFunction function) => function.PortType switch
    {
        PciPortType.RootPort => true,
        PciPortType.Unknown => function.CanHaveChildren ? null : false,
        _ => false,
    };
}
