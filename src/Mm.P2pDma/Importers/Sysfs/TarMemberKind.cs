namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>What a member of a tar archive is.</summary>
internal enum TarMemberKind
{
    /// <summary>A device node, a pipe: nothing to read.</summary>
    Other = 0,

    /// <summary>A file with contents.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A symbolic link.</summary>
    Link,

    /// <summary>Another name of a file before it.</summary>
    HardLink,
}
