using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Mm.Core.Native;

/// <summary>The vector level of this process: the widest that the processor has, or less when the environment asks.</summary>
/// <remarks>
/// <c>MM_VECTORS</c> may be <c>scalar</c>, <c>128</c>, <c>256</c> or <c>512</c>: at most that level is used, so that a
/// machine with wide vectors can test and measure the narrow paths. Anything else is as if it were absent.
/// <para><b>Locking:</b> immutable; read once at start, so that the JIT drops the paths not taken.</para>
/// </remarks>
internal static class Vectors
{
    /// <summary>The widest level that this processor runs.</summary>
    internal static VectorLevel Supported { get; } =
        Avx512F.IsSupported && Avx512BW.VL.IsSupported && Vector512.IsHardwareAccelerated ? VectorLevel.Vector512
        : Avx2.IsSupported && Vector256.IsHardwareAccelerated ? VectorLevel.Vector256
        : Vector128.IsHardwareAccelerated ? VectorLevel.Vector128
        : VectorLevel.Scalar;

    /// <summary>The level that Mm's loops use.</summary>
    internal static VectorLevel Level { get; } = Choose(Environment.GetEnvironmentVariable("MM_VECTORS"), Supported);

    /// <summary>The level for a setting of the environment.</summary>
    /// <param name="setting">The value of <c>MM_VECTORS</c>, or null.</param>
    /// <param name="supported">The widest level that the processor runs.</param>
    /// <returns>The level, never wider than <paramref name="supported"/>.</returns>
    internal static VectorLevel Choose(string? setting, VectorLevel supported)
    {
        VectorLevel asked = setting switch
        {
            "scalar" => VectorLevel.Scalar,
            "128" => VectorLevel.Vector128,
            "256" => VectorLevel.Vector256,
            _ => VectorLevel.Vector512,
        };
        return asked < supported ? asked : supported;
    }
}
