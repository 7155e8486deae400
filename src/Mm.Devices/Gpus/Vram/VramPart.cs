namespace Mm.Devices.Gpus.Vram;

/// <summary>A part of a GPU's memory, by who reaches it.</summary>
/// <remarks><b>Linux:</b> visible_vram_size of amdgpu and io_size of xe (v6.12), which split VRAM at the end of the BAR.</remarks>
public enum VramPart
{
    /// <summary>Behind the BAR: CPUs and peers reach it.</summary>
    Visible = 0,

    /// <summary>Behind the end of the BAR: the GPU alone reaches it.</summary>
    Hidden = 1,
}
