namespace Mm.Devices.Gpus.Objects;

/// <summary>Where a GPU's buffers may lie, or one does.</summary>
/// <remarks><b>Linux:</b> AMDGPU_GEM_DOMAIN_GTT, AMDGPU_GEM_DOMAIN_VRAM and AMDGPU_GEM_CREATE_CPU_ACCESS_REQUIRED (v6.12).</remarks>
[Flags]
public enum GpuPlaces
{
    /// <summary>Nowhere.</summary>
    None = 0,

    /// <summary>In RAM.</summary>
    Ram = 1,

    /// <summary>In the GPU's memory behind the BAR, where CPUs and peers reach it.</summary>
    VisibleVram = 2,

    /// <summary>In the GPU's memory that it alone reaches.</summary>
    HiddenVram = 4,

    /// <summary>Anywhere in the GPU's memory.</summary>
    Vram = VisibleVram | HiddenVram,

    /// <summary>Anywhere.</summary>
    Any = Ram | Vram,
}
