using Mm.Core;

namespace Mm.P2pDma.Importers;

/// <summary>How much of a stranger's file an importer takes before it refuses.</summary>
/// <remarks>
/// Every importer keeps to every limit that its format can meet, so that a hostile file costs bounded memory and time:
/// at most a small multiple of <see cref="MaxFileSize"/> for plain files and of <see cref="MaxUnpackedSize"/> for
/// packed ones. The defaults hold every real description of a machine seen so far at least twenty times over.
/// <para><b>Linux:</b> none: this is about files.</para>
/// <para><b>Invariants:</b> (1) every limit is at least 1.</para>
/// <para><b>Locking:</b> immutable.</para>
/// </remarks>
public sealed record ImportLimits
{
    /// <summary>The limits that apply where the caller names none.</summary>
    public static ImportLimits Default { get; } = new();

    /// <summary>The largest file, as stored; 64 MiB unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero.</exception>
    public ByteCount MaxFileSize { get; init => field = AtLeastOne(value); } = ByteCount.FromMiB(64);

    /// <summary>The most bytes that a packed file (bz2, gz, a tar in one) may unpack to in total; 256 MiB unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero.</exception>
    public ByteCount MaxUnpackedSize { get; init => field = AtLeastOne(value); } = ByteCount.FromMiB(256);

    /// <summary>The largest single member of an archive or file of a folder; 1 MiB unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero.</exception>
    public ByteCount MaxMemberSize { get; init => field = AtLeastOne(value); } = ByteCount.FromMiB(1);

    /// <summary>The longest line of a text, in bytes, without its end; 1 MiB unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is zero.</exception>
    public ByteCount MaxLineLength { get; init => field = AtLeastOne(value); } = ByteCount.FromMiB(1);

    /// <summary>The most members of an archive, or files and folders of a folder; 1,000,000 unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxMembers { get; init => field = AtLeastOne(value); } = 1_000_000;

    /// <summary>The deepest nesting of elements, objects or folders; 128 unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxDepth { get; init => field = AtLeastOne(value); } = 128;

    /// <summary>The most elements (XML), values (JSON) or device blocks (lspci); 500,000 unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxElements { get; init => field = AtLeastOne(value); } = 500_000;

    /// <summary>The most attributes of one element; 64 unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxAttributes { get; init => field = AtLeastOne(value); } = 64;

    /// <summary>After how many errors an importer stops looking for more; 20 unless set.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The value is below 1.</exception>
    public int MaxErrors { get; init => field = AtLeastOne(value); } = 20;

    private static ByteCount AtLeastOne(ByteCount value) =>
        value.IsZero ? throw new ArgumentOutOfRangeException(nameof(value), value, "a limit must be at least 1 B") : value;

    private static int AtLeastOne(int value)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
        return value;
    }
}
