namespace Mm.P2pDma.Topologies;

/// <summary>Who made the CPUs of a host, as far as rules ask.</summary>
/// <remarks><b>Linux:</b> X86_VENDOR_* (arch/x86/include/asm/processor.h, v6.12); everything that is not x86 is one case or <see cref="Other"/>.</remarks>
public enum CpuVendor
{
    /// <summary>The source does not say.</summary>
    Unknown = 0,

    /// <summary>Intel, x86.</summary>
    Intel,

    /// <summary>AMD, x86.</summary>
    Amd,

    /// <summary>Hygon, x86: not AMD to Linux, and without AMD's rule.</summary>
    Hygon,

    /// <summary>Zhaoxin or Centaur, x86.</summary>
    Zhaoxin,

    /// <summary>An Arm CPU.</summary>
    Arm,

    /// <summary>An IBM POWER CPU.</summary>
    Ibm,

    /// <summary>Known, and none of these.</summary>
    Other,
}
