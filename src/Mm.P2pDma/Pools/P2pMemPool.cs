using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Locking;
using Mm.Core.Spaces;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Providers;

namespace Mm.P2pDma.Pools;

/// <summary>The peer memory of one device that anybody may be given, as an NVMe controller's memory buffer.</summary>
/// <remarks>
/// Owns which pages are taken. It is one user of a provider, apart from it: a driver that owns its whole BAR has a
/// provider and no pool.
/// <para><b>Linux:</b> struct pci_p2pdma with its gen_pool (drivers/pci/p2pdma.c, v6.12): first fit in whole pages; the
/// stretch that was added last is searched first; and the file "allocate" of sysfs, which processes map.</para>
/// <para><b>States:</b> unpublished ↔ published; then released, once: nothing more is given, what is out comes back.</para>
/// <para><b>Invariants:</b> (1) no page is given twice; (2) every lease, and every page that processes map or pin, holds one
/// reference of its page map; (3) released, no process maps a page.</para>
/// <para><b>Locking:</b> one lock, rank Pool.</para>
/// </remarks>
public sealed partial class P2pMemPool
{
    private readonly RankedLock gate = new(LockRank.Pool);
    private readonly Machine machine;
    private readonly List<P2pMemChunk> chunks = []; // protected by gate; the newest first
    private bool isPublished; // protected by gate
    private bool isReleased; // protected by gate

    internal P2pMemPool(PciDevice device, Machine machine)
    {
        Device = device;
        this.machine = machine;
        Backing = new AreaBacking(AreaKind.PeerMemory, new Mapper(this));
    }

    /// <summary>Where taking pages can be made to fail.</summary>
    public static FaultPoint AllocateFault { get; } = new("fail_p2pmem_alloc");

    /// <summary>The device whose memory it is.</summary>
    public PciDevice Device { get; }

    /// <summary>All bytes, taken or not.</summary>
    public ByteCount Size => Sum(static chunk => chunk.Pagemap.Range.Length);

    /// <summary>The bytes that are free.</summary>
    public ByteCount Available => Sum(static chunk => chunk.Available);

    /// <summary>Whether others may be given memory; the device's own driver always may.</summary>
    /// <remarks><b>Linux:</b> pci_p2pmem_publish (v6.12).</remarks>
    public bool IsPublished
    {
        get
        {
            using (gate.Enter())
            {
                return isPublished && !isReleased;
            }
        }

        set
        {
            using (gate.Enter())
            {
                isPublished = value;
            }
        }
    }

    /// <summary>Takes memory.</summary>
    /// <param name="size">How many bytes; rounded up to whole pages.</param>
    /// <param name="memory">The lease, or null when refused.</param>
    /// <returns>
    /// <see cref="Errno.ENOMEM"/>: the size is zero, or no stretch has so many free pages in a row.
    /// <see cref="Errno.ENODEV"/>: the pool is released, or the page map found is ending.
    /// </returns>
    /// <remarks><b>Linux:</b> pci_alloc_p2pmem (v6.12), which answers NULL to all of these.</remarks>
    public Errno TryAllocate(ByteCount size, out P2pMemory? memory)
    {
        memory = null;
        using (gate.Enter())
        {
            Errno errno = TryTake(size, out P2pMemChunk? chunk, out PhysRange range);
            if (errno.IsOk)
            {
                memory = new P2pMemory(this, chunk!, range, size);
            }

            return errno;
        }
    }

    /// <summary>Recounts the free pages of every stretch.</summary>
    /// <exception cref="MmBugException">An invariant is broken.</exception>
    public void Validate()
    {
        using (gate.Enter())
        {
            chunks.ForEach(static chunk => chunk.Validate());
        }
    }

    /// <summary>The pool and how much of it is free.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        $"p2pmem of {Device.Place}: {Available} of {Size} free{(IsPublished ? ", published" : "")}";

    /// <summary>Adds a stretch, which is searched before the older ones.</summary>
    internal void Add(PeerPagemap pagemap)
    {
        var chunk = new P2pMemChunk(pagemap);
        pagemap.Returns.Taker = page => Free(chunk, new PhysRange(page.Address, PageSize.Small.Bytes));
        using (gate.Enter())
        {
            chunks.Insert(0, chunk);
        }
    }

    /// <summary>Ends giving, and takes away what processes map; what is pinned comes back with its last pin.</summary>
    internal void Release()
    {
        using (gate.Enter())
        {
            isReleased = true;
        }

        Backing.Unmap();
    }

    /// <summary>Takes pages back, and the reference that came with them.</summary>
    internal void Free(P2pMemChunk chunk, PhysRange pages)
    {
        using (gate.Enter())
        {
            chunk.Give(pages);
        }

        chunk.Pagemap.PutReference();
    }

    private Errno TryTake(ByteCount size, out P2pMemChunk? found, out PhysRange range)
    {
        found = null;
        range = default;
        if (isReleased)
        {
            return Errno.ENODEV;
        }

        if (size.IsZero || machine.Faults.ShouldFail(AllocateFault))
        {
            return Errno.ENOMEM;
        }

        PageCount pages = size.ToPagesRoundUp();
        foreach (P2pMemChunk chunk in chunks)
        {
            if (size > chunk.Available || !chunk.TryTake(pages, out range))
            {
                continue;
            }

            if (!chunk.Pagemap.TryTakeReference())
            {
                chunk.Give(range);
                range = default;
                return Errno.ENODEV;
            }

            found = chunk;
            return Errno.Ok;
        }

        return Errno.ENOMEM;
    }

    private ByteCount Sum(Func<P2pMemChunk, ByteCount> count)
    {
        using (gate.Enter())
        {
            return chunks.Aggregate(ByteCount.Zero, (sum, chunk) => sum.AddChecked(count(chunk)));
        }
    }
}
