using Mm.Core;

namespace Mm.Devices.Nvme;

/// <summary>Bytes of a command that lie together for the controller.</summary>
/// <remarks>Immutable.</remarks>
/// <param name="Address">The first DMA address; nothing for a bit bucket.</param>
/// <param name="Length">How many bytes.</param>
/// <param name="IsBucket">Whether what is read is thrown away.</param>
internal readonly record struct DataRun(DmaAddr Address, ByteCount Length, bool IsBucket);
