using Mm.Core;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;

namespace Mm.Devices.Gpus;

/// <content>The processes whose memory it shares.</content>
public sealed partial class Gpu
{
    private readonly List<GpuSvm> processes = []; // protected by gate
    private readonly SvmPagemap pagemap;
    private ulong lastProcess; // protected by gate

    /// <summary>The page descriptors that stand for its memory; no CPU can address what they describe.</summary>
    public Pagemap Pages => pagemap.Map;

    /// <summary>A process opens the GPU: its memory is the GPU's programs' too.</summary>
    /// <param name="space">The process's memory.</param>
    /// <param name="options">How it is shared.</param>
    /// <param name="shared">The shared memory; null when refused. The caller disposes it.</param>
    /// <returns>Ok; EINVAL: chunks that are no descending powers of two down to a page, or blocks that are smaller; EFAULT: the
    /// process has ended; ENOMEM: no memory for it; ENODEV: the GPU is gone.</returns>
    /// <remarks><b>Linux:</b> drm_gpusvm_init (v6.19).</remarks>
    public Errno TryOpen(AddressSpace space, SvmOptions options, out GpuSvm? shared)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(options);
        shared = null;
        if (!options.IsLegal || space.IsEnded)
        {
            return options.IsLegal ? Errno.EFAULT : Errno.EINVAL;
        }

        if (parts.Machine.Faults.ShouldFail(FaultPoint.Slab))
        {
            return Errno.ENOMEM;
        }

        lock (gate)
        {
            if (isRemoved)
            {
                return Errno.ENODEV;
            }

            shared = new GpuSvm(parts, pagemap, Dma, space, options, ++lastProcess, Forget);
            processes.Add(shared);
            return Errno.Ok;
        }
    }

    /// <summary>Brings all memory of processes back to RAM that can be, as for a GPU that sleeps.</summary>
    /// <remarks><b>Linux:</b> drm_pagemap_evict_to_ram for all (v6.19).</remarks>
    public void EvictProcesses() => _ = pagemap.EvictAll();

    private void EndProcesses()
    {
        foreach (GpuSvm each in CollectProcesses())
        {
            each.Dispose();
        }

        // A CPU's fault may be bringing pages home at this moment, by the engine: it is let finish.
        while (pagemap.EvictAll())
        {
            Thread.Yield();
        }
    }

    private void ReportProcesses(ICollection<LedgerEntry> entries)
    {
        foreach (GpuSvm each in CollectProcesses())
        {
            each.Report(entries);
        }

        foreach (SvmMemory memory in pagemap.Collect())
        {
            string held = $"{memory.Runs[0]}";
            entries.Add(new LedgerEntry($"{Name} svm memory", HoldingKind.Page, held, Id, (ulong)memory.Frames.Length));
        }
    }

    private void Forget(GpuSvm gone)
    {
        lock (gate)
        {
            _ = processes.Remove(gone);
        }
    }

    private GpuSvm[] CollectProcesses()
    {
        lock (gate)
        {
            return [.. processes];
        }
    }
}
