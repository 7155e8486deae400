namespace Mm.Devices.Nics.ZeroCopy;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class ZeroCopyQueue
{
    /// <summary>
    /// Whether the area stays mapped when the card is removed, until its last user is gone, as in Linux before "io_uring/zcrx:
    /// fix late dma unmap for a dead dev" (2025, f12ecf5e1c5e).
    /// </summary>
    internal bool UnmapsLate { get; set; }
}
