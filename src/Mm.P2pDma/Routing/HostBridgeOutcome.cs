namespace Mm.P2pDma.Routing;

/// <summary>What the allow list says of one host bridge.</summary>
public enum HostBridgeOutcome
{
    /// <summary>Not asked.</summary>
    None = 0,

    /// <summary>Listed, without conditions: allowed.</summary>
    Listed,

    /// <summary>Listed for traffic below one host bridge, and this is: allowed.</summary>
    ListedForSameBridge,

    /// <summary>Listed for traffic below one host bridge only, and this is between two: refused.</summary>
    NeedsSameBridge,

    /// <summary>The first device is in no entry: refused.</summary>
    NotListed,

    /// <summary>No device is on the root bus: refused.</summary>
    NoFirstDevice,

    /// <summary>The first device is neither 00.0 nor a root port: refused.</summary>
    FirstDeviceUnsuitable,

    /// <summary>The source does not tell the host bridge.</summary>
    HostBridgeUnknown,

    /// <summary>The source lists the root bus in part, so that nobody knows which device is first.</summary>
    FirstDeviceUnknown,

    /// <summary>The first device's vendor and device are not known.</summary>
    FirstDeviceIdUnknown,

    /// <summary>The first device is listed, but it is not known whether it is a root port.</summary>
    FirstDeviceTypeUnknown,
}
