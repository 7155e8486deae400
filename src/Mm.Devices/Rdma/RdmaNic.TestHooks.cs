namespace Mm.Devices.Rdma;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class RdmaNic
{
    /// <summary>Whether a registration of a pinned buffer that fails drops its pin itself, though its release does, too
    /// (museum 18).</summary>
    internal bool UnpinsTwice { get; set; }
}
