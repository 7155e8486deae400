using Mm.Core;

namespace Mm.Devices.Gpus.Svm;

/// <summary>One page as a GPU's page table has it: in its own memory, or in RAM at a DMA address.</summary>
/// <remarks>
/// Holds nothing: an invalidation drops it before the page can go.
/// <para><b>Linux:</b> struct drm_pagemap_addr (v6.19), with the page. Immutable; <c>default</c> is frame 0 in RAM, not writable.</para>
/// </remarks>
/// <param name="Frame">The page.</param>
/// <param name="Address">Where the GPU's bus finds it; 0 in its own memory.</param>
/// <param name="IsOnDevice">Whether it lies in the GPU's own memory.</param>
/// <param name="IsWritable">Whether the GPU may write.</param>
internal readonly record struct SvmEntry(Pfn Frame, DmaAddr Address, bool IsOnDevice, bool IsWritable);
