using Mm.Core;

namespace Mm.Devices.Gpus.Vram;

/// <summary>Pages of a GPU's memory that lie one behind another, counted from its start.</summary>
/// <remarks>
/// Owns nothing.
/// <para><b>Linux:</b> struct drm_buddy_block (v6.12), of any length. Half-open; <c>default</c> is empty. Immutable.</para>
/// </remarks>
/// <param name="First">How many pages lie before it.</param>
/// <param name="Count">How many pages it has.</param>
public readonly record struct VramRun(PageCount First, PageCount Count)
{
    /// <summary>The run as <c>vram [0x10, 0x20)</c>, in pages.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"vram [0x{First.Value:x}, 0x{First.Value + Count.Value:x})";
}
