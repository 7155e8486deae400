namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>A member of a tar archive, without its contents.</summary>
/// <param name="Name">Its name, as stored.</param>
/// <param name="Kind">What it is.</param>
/// <param name="LinkTarget">Where a link leads, as stored; else empty.</param>
/// <param name="Size">How many bytes follow.</param>
internal readonly record struct TarMember(string Name, TarMemberKind Kind, string LinkTarget, ulong Size);
