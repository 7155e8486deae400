using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Routing;

/// <summary>What the allow list said of one host bridge, and what was asked.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Bridge">The host bridge; <see langword="null"/> where it is not known.</param>
/// <param name="FirstDevice">The first device of its root bus; <see langword="null"/> where there is none or it is not known.</param>
/// <param name="Entry">The entry that spoke; <see langword="null"/> where none did.</param>
/// <param name="Outcome">What came out.</param>
public sealed record HostBridgeAnswer(
    HostBridge? Bridge, PciFunction? FirstDevice, HostBridgeEntry? Entry, HostBridgeOutcome Outcome)
{
    /// <summary>Whether the bridge carries peer traffic; <see langword="null"/> where that is not known.</summary>
    public bool? IsAllowed => Outcome switch
    {
        HostBridgeOutcome.Listed or HostBridgeOutcome.ListedForSameBridge => true,
        HostBridgeOutcome.HostBridgeUnknown or HostBridgeOutcome.FirstDeviceUnknown
            or HostBridgeOutcome.FirstDeviceIdUnknown or HostBridgeOutcome.FirstDeviceTypeUnknown => null,
        _ => false,
    };

    /// <summary>One sentence: the bridge, the device asked, the entry.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Outcome switch
    {
        HostBridgeOutcome.Listed => $"{Bridge}: first device {FirstDevice} is listed as {Entry}",
        HostBridgeOutcome.ListedForSameBridge => $"{Bridge}: first device {FirstDevice} is listed as {Entry}, and both are below it",
        HostBridgeOutcome.NeedsSameBridge => $"{Bridge}: first device {FirstDevice} is listed as {Entry}, and the other is below another",
        HostBridgeOutcome.NotListed => $"{Bridge}: first device {FirstDevice} is not in the allow list",
        HostBridgeOutcome.NoFirstDevice => $"{Bridge}: no device is on its root bus, so that nothing can match the allow list",
        HostBridgeOutcome.FirstDeviceUnsuitable =>
            $"{Bridge}: first device {FirstDevice} is neither device 00.0 nor a root port, so that nothing can match the allow list",
        HostBridgeOutcome.HostBridgeUnknown => "the host bridge is not known",
        HostBridgeOutcome.FirstDeviceUnknown => $"{Bridge}: which device is first on its root bus is not known",
        HostBridgeOutcome.FirstDeviceIdUnknown => $"{Bridge}: the identity of first device {FirstDevice} is not known",
        HostBridgeOutcome.FirstDeviceTypeUnknown =>
            $"{Bridge}: first device {FirstDevice} is listed as {Entry} if it is a root port, which is not known",
        _ => $"{Bridge}: not asked",
    };
}
