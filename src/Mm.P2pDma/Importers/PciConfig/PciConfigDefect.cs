namespace Mm.P2pDma.Importers.PciConfig;

/// <summary>Something in a configuration space that cannot be: a list that loops, a register out of its range.</summary>
/// <param name="Offset">Where, in bytes from the start of configuration space.</param>
/// <param name="What">What is wrong.</param>
/// <param name="Found">What the register holds.</param>
/// <param name="Allowed">What it might hold.</param>
internal readonly record struct PciConfigDefect(int Offset, string What, string Found, string Allowed)
{
    /// <summary>The defect as an import error.</summary>
    /// <param name="position">Where the byte at <see cref="Offset"/> stands in the file.</param>
    /// <returns>The error.</returns>
    internal ImportError ToError(ImportPosition position) =>
        new(position, $"{What} (configuration space 0x{Offset:x2})", Found, Allowed);
}
