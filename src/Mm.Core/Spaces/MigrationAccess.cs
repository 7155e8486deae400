namespace Mm.Core.Spaces;

/// <summary>What a migration entry will be again when the page has arrived.</summary>
/// <remarks><b>Linux:</b> SWP_MIGRATION_READ, SWP_MIGRATION_READ_EXCLUSIVE and SWP_MIGRATION_WRITE (v6.12).</remarks>
internal enum MigrationAccess
{
    /// <summary>Readable; the page may be shared.</summary>
    Readable = 0,

    /// <summary>Readable, and the anonymous page belongs to this process alone.</summary>
    ReadableExclusive = 1,

    /// <summary>Writable; an anonymous page then belongs to this process alone.</summary>
    Writable = 2,
}
