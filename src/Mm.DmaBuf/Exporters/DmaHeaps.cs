using System.Diagnostics.CodeAnalysis;
using Mm.Core;
using Mm.Core.Locking;
using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Exporters;

/// <summary>The heaps of a machine by name, and the way of a process to their buffers.</summary>
/// <remarks>
/// Owns the names.
/// <para><b>Linux:</b> drivers/dma-buf/dma-heap.c (v6.12): the character devices below /dev/dma_heap.</para>
/// <para><b>Invariants:</b> (1) names are not empty and differ.</para>
/// <para><b>Locking:</b> one lock, rank Leaf; heaps are called without it.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class DmaHeaps
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private readonly SortedDictionary<string, IDmaHeap> heaps = new(StringComparer.Ordinal); // protected by gate

    /// <summary>The names, sorted.</summary>
    public IReadOnlyList<string> Names
    {
        get
        {
            using RankedLock.Guard held = gate.Enter();
            return [.. heaps.Keys];
        }
    }

    /// <summary>Adds a heap.</summary>
    /// <param name="heap">The heap.</param>
    /// <returns>Ok; EINVAL: its name is empty, or another heap's.</returns>
    /// <remarks><b>Linux:</b> dma_heap_add (v6.12).</remarks>
    public Errno TryAdd(IDmaHeap heap)
    {
        ArgumentNullException.ThrowIfNull(heap);
        using RankedLock.Guard held = gate.Enter();
        return string.IsNullOrEmpty(heap.Name) || !heaps.TryAdd(heap.Name, heap) ? Errno.EINVAL : Errno.Ok;
    }

    /// <summary>Makes a buffer and opens it in a process.</summary>
    /// <param name="name">The heap's name.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="files">The process's files.</param>
    /// <param name="number">The buffer's number there; default when refused.</param>
    /// <returns>Ok; ENOENT: no such heap; EINVAL: the request has a file number, unknown flags, or no length; ENOMEM: no
    /// memory; EMFILE: as many files are open as may be, and the buffer is gone again.</returns>
    /// <remarks><b>Linux:</b> DMA_HEAP_IOCTL_ALLOC (v6.12).</remarks>
    public Errno TryAllocate(string name, HeapRequest request, FileTable files, out FileNumber number)
    {
        ArgumentNullException.ThrowIfNull(files);
        number = default;
        Errno errno = TryAllocate(name, request, out BufferHandle? handle);
        if (!errno.IsOk)
        {
            return errno;
        }

        using (handle)
        {
            return files.TryInstall(handle!, out number);
        }
    }

    /// <summary>Makes a buffer.</summary>
    /// <param name="name">The heap's name.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="handle">The buffer; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENOENT: no such heap; EINVAL: the request has a file number, unknown flags, or no length; ENOMEM: no
    /// memory.</returns>
    public Errno TryAllocate(string name, HeapRequest request, out BufferHandle? handle)
    {
        ArgumentNullException.ThrowIfNull(name);
        handle = null;
        IDmaHeap? heap;
        using (gate.Enter())
        {
            if (!heaps.TryGetValue(name, out heap))
            {
                return Errno.ENOENT;
            }
        }

        bool isLegal = request.FileNumber == 0 && (request.FileFlags & ~HeapRequest.KnownFileFlags) == 0 && request.HeapFlags == 0;
        ulong pages = request.Length.ToPagesRoundUp().Value;
        bool hasSize = pages != 0 && pages < 1UL << 52; // aligned up, the length wraps to 0 at the top
        return isLegal && hasSize ? heap.TryAllocate(new PageCount(pages).ToBytes(), out handle) : Errno.EINVAL;
    }
}
