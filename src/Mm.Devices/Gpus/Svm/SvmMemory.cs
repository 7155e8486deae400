using Mm.Core;
using Mm.Devices.Gpus.Vram;

namespace Mm.Devices.Gpus.Svm;

/// <summary>Pages of a GPU's memory that one range of a process was brought to.</summary>
/// <remarks>
/// Owns the pages until the last of them is back, and whoever made it has let go.
/// <para><b>Linux:</b> struct drm_pagemap_devmem with its zdd (v6.19).</para>
/// <para><b>States:</b> made → in use → given back to the allocator, once.</para>
/// <para><b>Locking:</b> counts are atomic.</para>
/// </remarks>
internal sealed class SvmMemory : IVramTenant
{
    private readonly SvmPagemap owner;
    private int holds = 1; // atomic: whoever made it, and each page
    private int livePages; // atomic
    private ulong expiryNs; // atomic

    internal SvmMemory(SvmPagemap owner, List<VramRun> runs, VramPart part, Pfn[] frames)
    {
        this.owner = owner;
        Runs = runs;
        Part = part;
        Frames = frames;
    }

    internal List<VramRun> Runs { get; }

    internal VramPart Part { get; }

    internal Pfn[] Frames { get; }

    internal ByteCount Length => new PageCount((ulong)Frames.Length).ToBytes();

    /// <summary>Pages that processes have.</summary>
    internal int LivePages => Volatile.Read(ref livePages);

    /// <summary>Until when CPUs that touch it are sent away. <b>Linux:</b> timeslice_expiration.</summary>
    internal ulong ExpiryNs
    {
        get => Volatile.Read(ref expiryNs);
        set => Volatile.Write(ref expiryNs, value);
    }

    public bool TryEvict(VramPart part)
    {
        if (part != Part || LivePages == 0)
        {
            return false;
        }

        return owner.TryEvict(this).IsOk;
    }

    internal void AddPage()
    {
        Interlocked.Increment(ref holds);
        Interlocked.Increment(ref livePages);
    }

    internal void DropPage()
    {
        Interlocked.Decrement(ref livePages);
        Drop();
    }

    /// <summary>Lets go; the last one gives the pages back.</summary>
    internal void Drop()
    {
        if (Interlocked.Decrement(ref holds) == 0)
        {
            owner.Free(this);
        }
    }
}
