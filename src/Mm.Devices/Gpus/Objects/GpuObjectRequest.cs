using Mm.Core;

namespace Mm.Devices.Gpus.Objects;

/// <summary>What a program asks of a new buffer of a GPU.</summary>
/// <remarks>
/// <b>Linux:</b> struct drm_amdgpu_gem_create_in (v6.12). Immutable.
/// </remarks>
/// <param name="Size">How many bytes; rounded up to pages.</param>
public sealed record GpuObjectRequest(ByteCount Size)
{
    /// <summary>Where it may lie.</summary>
    public GpuPlaces Allowed { get; init; } = GpuPlaces.Any;

    /// <summary>Where the program would like it to lie: a hint, without which it lies in the GPU's memory.</summary>
    public GpuPlaces Preferred { get; init; } = GpuPlaces.Vram;
}
