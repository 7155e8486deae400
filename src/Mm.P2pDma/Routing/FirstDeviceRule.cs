namespace Mm.P2pDma.Routing;

/// <summary>Which device of a root bus lends the host bridge its identity. Linux has the first; the others exist for mutation tests.</summary>
internal enum FirstDeviceRule
{
    /// <summary>The first on the bus, if it is 00.0 or a root port.</summary>
    DeviceZeroOrRootPort = 0,

    /// <summary>The first on the bus, if it is a root port.</summary>
    RootPortOnly,

    /// <summary>The first on the bus, if it is 00.0.</summary>
    DeviceZeroOnly,

    /// <summary>The last on the bus.</summary>
    LastOnBus,
}
