namespace Mm.Hmm.Migration;

/// <summary>Which pages of an area are wanted.</summary>
/// <remarks><b>Linux:</b> enum migrate_vma_direction (v6.12). Holes of anonymous memory are offered whatever is selected.</remarks>
[Flags]
public enum MigrateSelect
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>System memory. <b>Linux:</b> MIGRATE_VMA_SELECT_SYSTEM.</summary>
    System = 1,

    /// <summary>Private memory of the owner that asks. <b>Linux:</b> MIGRATE_VMA_SELECT_DEVICE_PRIVATE.</summary>
    DevicePrivate = 2,

    /// <summary>Coherent memory of the owner that asks. <b>Linux:</b> MIGRATE_VMA_SELECT_DEVICE_COHERENT.</summary>
    DeviceCoherent = 4,

    /// <summary>Pages of 2 MiB in one piece, where the range covers them, and holes as large: on machines that can. <b>Linux:</b>
    /// MIGRATE_VMA_SELECT_COMPOUND (v6.19).</summary>
    Compound = 8,
}
