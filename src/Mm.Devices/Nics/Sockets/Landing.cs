using Mm.Core;
using Mm.Devices.Nics.Queues;

namespace Mm.Devices.Nics.Sockets;

/// <summary>What came of taking bytes of a flow off the wire.</summary>
/// <remarks><b>Linux:</b> none: the outcome of a poll. <c>default</c>: nothing was asked for. Immutable.</remarks>
/// <param name="Bytes">How many bytes of payload landed.</param>
/// <param name="End">Why it ended.</param>
public readonly record struct Landing(ByteCount Bytes, LandingEnd End);
