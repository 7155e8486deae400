namespace Mm.P2pDma.Topologies;

/// <summary>What kind of window a BAR is.</summary>
/// <remarks><b>Linux:</b> IORESOURCE_IO, _MEM, _PREFETCH, _MEM_64 (include/linux/ioport.h, v6.12).</remarks>
[Flags]
public enum PciBarFlags
{
    /// <summary>Nothing is known of it.</summary>
    None = 0,

    /// <summary>Memory.</summary>
    Memory = 1,

    /// <summary>I/O ports: never peer memory.</summary>
    Io = 2,

    /// <summary>Reads have no side effects.</summary>
    Prefetchable = 4,

    /// <summary>Its address has 64 bits.</summary>
    Is64Bit = 8,

    /// <summary>Decoding is switched off.</summary>
    Disabled = 16,
}
