namespace Mm.P2pDma.Routing;

/// <summary>Which rule decided a verdict.</summary>
public enum P2pReason
{
    /// <summary>No verdict.</summary>
    None = 0,

    /// <summary>Provider and client are one function, and its ACS redirects nothing.</summary>
    SameFunction,

    /// <summary>A common bridge turns the traffic around, and no ACS on the way redirects it.</summary>
    CommonBridge,

    /// <summary>ACS sends the traffic up to the root, which carries it.</summary>
    AcsRedirectAllowed,

    /// <summary>ACS sends the traffic up to the root, which is not known to carry it.</summary>
    AcsRedirectRefused,

    /// <summary>No common bridge: the traffic passes the root, which carries it.</summary>
    RootAllowed,

    /// <summary>No common bridge, and the root is not known to carry peer traffic.</summary>
    RootRefused,

    /// <summary>The two are in different machines.</summary>
    DifferentHosts,
}
