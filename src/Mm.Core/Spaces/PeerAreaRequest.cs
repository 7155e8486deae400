namespace Mm.Core.Spaces;

/// <summary>What a device asks of the owner of somebody's area.</summary>
/// <remarks>
/// <b>Linux:</b> the arguments of p2p_map, as proposed in 2019.
/// <para><c>default</c> asks for nothing, of no area. Immutable.</para>
/// </remarks>
/// <param name="Area">The area; it may be gone when the device is done.</param>
/// <param name="Offset">The first page of the backing.</param>
/// <param name="Count">How many pages.</param>
/// <param name="Importer">The device.</param>
/// <param name="IsWrite">Whether it writes.</param>
public readonly record struct PeerAreaRequest(Area Area, PageCount Offset, PageCount Count, DeviceId Importer, bool IsWrite);
