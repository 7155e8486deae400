using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.PhysRanges;
using Mm.Devices.Gpus.Vram;
using Mm.Hmm.Copying;

namespace Mm.Devices.Gpus.Objects;

/// <summary>The pages of a buffer at one place: in RAM, or in one part of the GPU's memory.</summary>
/// <remarks>
/// Owns the pages and, where others may reach them, the list of their addresses.
/// <para><b>Linux:</b> struct ttm_resource, with the pages of a struct ttm_tt (v6.12).</para>
/// <para><b>Invariants:</b> (1) the list ends before a page is given back.</para>
/// <para><b>Locking:</b> the owner's.</para>
/// </remarks>
internal sealed class GpuBacking : IDisposable
{
    private const int JobPages = 512; // of one copy job

    private readonly GpuParts parts;
    private readonly ValiditySource life = new();
    private readonly PageRef[] ram;
    private readonly List<VramRun> runs;
    private readonly Pfn[] frames;

    private GpuBacking(GpuParts parts, GpuPlaces place, PageRef[] ram, List<VramRun> runs)
    {
        this.parts = parts;
        this.ram = ram;
        this.runs = runs;
        Place = place;
        frames = place == GpuPlaces.Ram ? [.. ram.Select(static page => page.Page)] : [.. FramesOf(parts.Bytes, runs)];
    }

    /// <summary>Where they lie.</summary>
    internal GpuPlaces Place { get; }

    /// <summary>How many they are.</summary>
    internal PageCount Pages => new((ulong)frames.Length);

    /// <summary>Their addresses for CPUs and devices; null where only the GPU reaches them.</summary>
    internal PhysRangeList? List { get; private set; }

    /// <summary>The frames, as the copy engine sees them.</summary>
    internal ReadOnlySpan<Pfn> Frames => frames;

    /// <summary>Takes pages, whose bytes are anybody's in the GPU's memory, and zero in RAM.</summary>
    /// <param name="parts">The GPU.</param>
    /// <param name="place">Where.</param>
    /// <param name="pages">How many; not zero.</param>
    /// <param name="mayEvict">Whether others may be asked to leave; then no lock may be held.</param>
    /// <param name="backing">The pages; null when refused.</param>
    /// <returns>Ok; ENOMEM: there are not as many; ENODEV: nobody answers for the BAR any more.</returns>
    internal static Errno TryTake(GpuParts parts, GpuPlaces place, PageCount pages, bool mayEvict, out GpuBacking? backing)
    {
        backing = null;
        var inRam = new PageRef[place == GpuPlaces.Ram ? checked((int)pages.Value) : 0];
        var inVram = new List<VramRun>();
        Errno errno = place == GpuPlaces.Ram
            ? parts.Machine.Allocator.TryAllocateMany(AllocationRequest.Kernel with { IsZeroed = true }, inRam)
            : TryTakeVram(parts.Pool, place, pages, mayEvict, inVram);
        if (!errno.IsOk)
        {
            return errno;
        }

        var taken = new GpuBacking(parts, place, inRam, inVram);
        errno = place == GpuPlaces.HiddenVram ? Errno.Ok : taken.TryList();
        if (!errno.IsOk)
        {
            taken.Dispose();
            return errno;
        }

        backing = taken;
        return Errno.Ok;
    }

    /// <summary>Has the GPU's engine write the pages: with what other pages hold, or with zeros.</summary>
    /// <param name="source">The other pages, as many; null for zeros.</param>
    /// <returns>Ok: all were wholly written; and what <see cref="GpuCopier.TryRun"/> refuses with.</returns>
    internal Errno TryFill(GpuBacking? source)
    {
        Errno errno = Errno.Ok;
        for (int first = 0; first < frames.Length && errno.IsOk; first += JobPages)
        {
            using CopyJob job = parts.Copier.Jobs.Rent();
            for (int index = first; index < Math.Min(first + JobPages, frames.Length); index++)
            {
                job.Add(source is null ? PageCopy.Clear(frames[index]) : PageCopy.Of(source.frames[index], frames[index]));
            }

            errno = parts.Copier.TryRun(job);
        }

        return errno;
    }

    /// <summary>Gives the pages other addresses in the books: those from before have ended.</summary>
    /// <returns>Ok; ENODEV: nobody answers for the BAR any more.</returns>
    internal Errno TryRenewAddresses()
    {
        EndAddresses();
        return Place == GpuPlaces.HiddenVram ? Errno.Ok : TryList();
    }

    /// <summary>Ends the addresses: whoever has them faults from here on.</summary>
    internal void EndAddresses()
    {
        life.Invalidate();
        List?.Dispose();
        List = null;
    }

    /// <summary>Ends the addresses, and gives the pages back.</summary>
    public void Dispose()
    {
        EndAddresses();
        parts.Machine.Allocator.Release(ram);
        parts.Pool.Return(runs);
    }

    private static Errno TryTakeVram(VramPool pool, GpuPlaces place, PageCount pages, bool mayEvict, List<VramRun> runs)
    {
        VramPart part = place == GpuPlaces.VisibleVram ? VramPart.Visible : VramPart.Hidden;
        return mayEvict ? pool.TryTakeEvicting(pages, part, runs) : pool.TryTake(pages, part, runs);
    }

    private static IEnumerable<Pfn> FramesOf(VramBytes bytes, List<VramRun> runs)
    {
        foreach (VramRun run in runs)
        {
            for (ulong index = 0; index < run.Count.Value; index++)
            {
                yield return bytes.FrameAt(run.First.AddChecked(new PageCount(index)));
            }
        }
    }

    private Errno TryList()
    {
        var builder = new PhysRangeListBuilder(parts.Owners);
        Errno errno = Errno.Ok;
        if (Place == GpuPlaces.Ram)
        {
            errno = builder.TryAppendFrames(frames);
        }
        else if (!parts.Provider.IsLive)
        {
            return Errno.ENODEV; // the window's owner would be unknown
        }

        foreach (VramRun run in runs)
        {
            errno = errno.IsOk ? builder.TryAppend(parts.Bytes.AddressOf(run)) : errno;
        }

        List = errno.IsOk ? builder.Build(life.Token) : null;
        return errno == Errno.EFAULT ? Errno.ENODEV : errno;
    }
}
