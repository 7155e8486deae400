namespace Mm.P2pDma.Topologies;

/// <summary>Which CPUs a host has: one identity for all, that of its first CPU.</summary>
/// <remarks>
/// <para><b>Linux:</b> x86_vendor, x86 (family) and x86_model of cpu_data(0) (v6.12). Family is the display family:
/// 0x17 for the first Zen, never the packed form that NCCL writes.</para>
/// <para><c>default</c> is unknown. Immutable.</para>
/// </remarks>
/// <param name="Vendor">The maker.</param>
/// <param name="Family">The display family; <see langword="null"/> where unknown or not x86.</param>
/// <param name="Model">The display model; <see langword="null"/> where unknown or not x86.</param>
public readonly record struct CpuIdentity(CpuVendor Vendor, int? Family, int? Model)
{
    /// <summary>Nothing is known.</summary>
    public static CpuIdentity Unknown => default;

    /// <summary>The identity as <c>Amd family 0x19 model 0x1</c>, or <c>unknown</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        Vendor == CpuVendor.Unknown
            ? "unknown"
            : $"{Vendor}{(Family is { } family ? $" family 0x{family:x}" : "")}{(Model is { } model ? $" model 0x{model:x}" : "")}";
}
