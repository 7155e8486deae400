namespace Mm.P2pDma.Routing;

/// <summary>Which functions of a path are asked for ACS redirection. Linux asks all; tests take parts away to see that recordings notice.</summary>
[Flags]
internal enum AcsScope
{
    None = 0,

    /// <summary>The provider itself.</summary>
    Provider = 1,

    /// <summary>The bridges above the provider, below the common one.</summary>
    ProviderBridges = 2,

    /// <summary>The common bridge.</summary>
    CommonBridge = 4,

    /// <summary>The client itself.</summary>
    Client = 8,

    /// <summary>The bridges above the client, below the common one.</summary>
    ClientBridges = 16,

    All = Provider | ProviderBridges | CommonBridge | Client | ClientBridges,
}
