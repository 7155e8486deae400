namespace Mm.Core.Native;

/// <summary>How wide the vectors are that Mm's vectorised loops use.</summary>
/// <remarks>A loop has twins with equal results; <see cref="Vectors"/> chooses a level at start. Where wider vectors gain nothing, a wider level
/// uses the narrower twin.</remarks>
internal enum VectorLevel
{
    /// <summary>No vectors.</summary>
    Scalar = 0,

    /// <summary>16 bytes: SSE4.2, AdvSimd.</summary>
    Vector128 = 1,

    /// <summary>32 bytes: AVX2.</summary>
    Vector256 = 2,

    /// <summary>64 bytes: AVX-512 F, BW, CD, DQ and VL.</summary>
    Vector512 = 3,
}
