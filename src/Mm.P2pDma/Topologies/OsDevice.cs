namespace Mm.P2pDma.Topologies;

/// <summary>A name that the operating system gave to a function or a part of it.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Name">The name, as <c>mlx5_0</c>.</param>
/// <param name="Kind">What it is.</param>
public sealed record OsDevice(string Name, OsDeviceKind Kind);
