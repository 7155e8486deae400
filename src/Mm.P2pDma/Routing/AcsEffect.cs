namespace Mm.P2pDma.Routing;

/// <summary>What a function's ACS does to peer traffic, ordered: a known redirection outweighs what is not known.</summary>
internal enum AcsEffect
{
    Passes = 0,
    Unknown = 1,
    Redirects = 2,
}
