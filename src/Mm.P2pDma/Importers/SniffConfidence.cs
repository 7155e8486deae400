namespace Mm.P2pDma.Importers;

/// <summary>How sure an importer is, from a file's first bytes, that the file is its to read.</summary>
/// <remarks>Ordered: the highest wins; equal ones are asked in the order of registration. <c>default</c> is <see cref="None"/>.</remarks>
public enum SniffConfidence
{
    /// <summary>Another format, or nothing that the first bytes could tell.</summary>
    None = 0,

    /// <summary>The container fits (it is XML, it is JSON, it is an archive), the contents are not seen yet.</summary>
    Container = 1,

    /// <summary>The contents look like it.</summary>
    Likely = 2,

    /// <summary>The format names itself in the first bytes.</summary>
    Certain = 3,
}
