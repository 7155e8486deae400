namespace Mm.Devices.Rdma;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
internal sealed partial class ImplicitBacking
{
    /// <summary>
    /// Whether a child that is empty is given up without looking whether it is still in the table, as in mlx5 before
    /// CVE-2025-21714 (museum 17): two invalidations of one child give it up twice.
    /// </summary>
    internal bool GivesUpBlindly { get; set; }
}
