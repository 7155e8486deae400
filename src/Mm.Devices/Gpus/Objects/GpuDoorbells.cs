using Mm.Core;
using Mm.Core.Locking;
using Mm.Devices.Gpus.Vram;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Gpus.Objects;

/// <summary>The doorbells of a GPU: pages of one of its BARs, each given to one program at a time.</summary>
/// <remarks>
/// Owns which pages are given.
/// <para><b>Linux:</b> struct amdgpu_doorbell and its bitmap (v6.12).</para>
/// <para><b>Invariants:</b> (1) a page is one doorbell at most.</para>
/// <para><b>Locking:</b> a leaf lock of its own; safe from any thread.</para>
/// </remarks>
public sealed class GpuDoorbells
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly List<GpuDoorbell> given = []; // protected by gate
    private readonly VramPages pages; // protected by gate
    private readonly BarExporter exporter;
    private readonly PciPlace place;
    private readonly int bar;
    private readonly PhysRange window;
    private bool isEnded; // protected by gate

    internal GpuDoorbells(string name, DeviceId id, PciSystem pci, BufferRegistry buffers, PciPlace place, int bar, PhysRange window)
    {
        Name = name;
        Id = id;
        Machine = pci.Machine;
        this.place = place;
        this.bar = bar;
        this.window = window;
        exporter = new BarExporter(buffers, pci);
        pages = new VramPages(PageCount.Zero, window.Length.ToPagesRoundDown());
    }

    /// <summary>How many doorbells are given.</summary>
    public int Count => Collect().Length;

    internal string Name { get; }

    internal DeviceId Id { get; }

    internal Machine Machine { get; }

    /// <summary>Gives a doorbell.</summary>
    /// <param name="doorbell">The doorbell; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENOSPC: all are given; ENOMEM: no memory for it; ENODEV: the GPU is gone.</returns>
    public Errno TryGive(out GpuDoorbell? doorbell)
    {
        doorbell = null;
        var run = new List<VramRun>(1);
        using (gate.Enter())
        {
            if (isEnded || !pages.TryTake(PageCount.One, run))
            {
                return isEnded ? Errno.ENODEV : Errno.ENOSPC;
            }
        }

        PageCount page = run[0].First;
        PhysRange range = window.Slice(page.ToBytes(), PageSize.Small.Bytes);
        Errno errno = exporter.TryExport(
            place, bar, [new BarRange(page.ToBytes(), PageSize.Small.Bytes)], out BarBuffer? buffer, out BufferHandle? handle);
        using RankedLock.Guard held = gate.Enter();
        if (!errno.IsOk)
        {
            pages.Return(run[0]);
            return errno;
        }

        doorbell = new GpuDoorbell(this, page, range, buffer!, handle!);
        given.Add(doorbell);
        return Errno.Ok;
    }

    internal void Return(GpuDoorbell doorbell)
    {
        using RankedLock.Guard held = gate.Enter();
        _ = given.Remove(doorbell);
        pages.Return(new VramRun(doorbell.Page, PageCount.One));
    }

    /// <summary>Takes all from their importers: for a while, or for good.</summary>
    /// <param name="isForGood">Whether the GPU is gone.</param>
    internal void Revoke(bool isForGood)
    {
        using (gate.Enter())
        {
            isEnded |= isForGood;
        }

        foreach (GpuDoorbell doorbell in Collect())
        {
            doorbell.Revoke(isForGood);
        }
    }

    internal void Report(ICollection<LedgerEntry> entries)
    {
        foreach (GpuDoorbell doorbell in Collect())
        {
            doorbell.Report(entries);
        }
    }

    internal void Validate()
    {
        using RankedLock.Guard held = gate.Enter();
        pages.Validate();
    }

    private GpuDoorbell[] Collect()
    {
        using RankedLock.Guard held = gate.Enter();
        return [.. given];
    }
}
