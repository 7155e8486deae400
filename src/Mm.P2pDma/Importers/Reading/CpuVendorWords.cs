using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Reading;

/// <summary>The words by which files name CPU vendors.</summary>
internal static class CpuVendorWords
{
    /// <summary>The vendor that an x86 vendor string names, as CPUID prints it.</summary>
    /// <param name="vendor">The string.</param>
    /// <returns>The vendor.</returns>
    internal static CpuVendor OfX86Vendor(string vendor) => vendor switch
    {
        "GenuineIntel" => CpuVendor.Intel,
        "AuthenticAMD" => CpuVendor.Amd,
        "HygonGenuine" => CpuVendor.Hygon,
        "CentaurHauls" or "  Shanghai  " => CpuVendor.Zhaoxin,
        _ => CpuVendor.Other,
    };

    /// <summary>The vendor that an architecture other than x86 implies, as far as rules ask.</summary>
    /// <param name="architecture">As uname prints it.</param>
    /// <returns>The vendor.</returns>
    internal static CpuVendor OfArchitecture(string architecture) =>
        architecture.StartsWith("ppc", StringComparison.Ordinal) ? CpuVendor.Ibm
        : architecture.StartsWith("aarch64", StringComparison.Ordinal) || architecture.StartsWith("arm", StringComparison.Ordinal)
            ? CpuVendor.Arm
            : CpuVendor.Other;
}
