namespace Mm.Core.Dma;

// Faults of the past, put back in by tests that show they are caught.
public sealed partial class BounceBuffers
{
    /// <summary>Whether slots keep what an earlier mapping left in them: a device that writes less than the whole run then
    /// gives away those bytes, and overwrites the run's own. <b>Linux:</b> before ddbd89deb7d3 (museum 26).</summary>
    internal bool LeavesOldBytes { get; set; }
}
