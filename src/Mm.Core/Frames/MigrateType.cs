namespace Mm.Core.Frames;

/// <summary>What a pageblock's pages can be expected to do when their frames are wanted elsewhere.</summary>
/// <remarks>
/// <b>Linux:</b> enum migratetype (include/linux/mmzone.h, v6.12), without MIGRATE_HIGHATOMIC.
/// <para><c>default</c> is <see cref="Unmovable"/>, as in a request that says nothing.</para>
/// </remarks>
public enum MigrateType
{
    /// <summary>Pages stay where they are.</summary>
    Unmovable = 0,

    /// <summary>Pages can be migrated.</summary>
    Movable = 1,

    /// <summary>Pages can be freed on demand.</summary>
    Reclaimable = 2,

    /// <summary>Lent to movable pages until a device wants the range.</summary>
    Cma = 3,

    /// <summary>Being emptied: nothing is allocated from here.</summary>
    Isolate = 4,
}
