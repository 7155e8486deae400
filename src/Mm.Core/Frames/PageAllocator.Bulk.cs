using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Core.Frames;

// The facet of many pages at once: the next pages' metadata is fetched while one is worked on.
public sealed partial class PageAllocator
{
    // How far ahead to fetch: a cache miss costs about as much as this many puts.
    private const int PrefetchDistance = 12;

    /// <summary>Takes many pages or folios: all of them or none.</summary>
    /// <param name="request">What kind each is.</param>
    /// <param name="references">Receives the references; its length says how many. Empty ones when refused.</param>
    /// <returns><see cref="Errno.ENOMEM"/>: there are not as many, or a failure was planned at
    /// <see cref="FaultPoint.PageAlloc"/>.</returns>
    /// <remarks><b>Linux:</b> alloc_pages_bulk (v6.12), which may return fewer; here a refusal changes nothing.</remarks>
    public Errno TryAllocateMany(AllocationRequest request, Span<PageRef> references)
    {
        // A page by the straight way brings a batch to the stack where it was empty; the batch then goes at once.
        int count = 0;
        while (count < references.Length)
        {
            Errno errno = TryAllocate(request, out references[count]);
            if (!errno.IsOk)
            {
                Release(references[..count]);
                references.Clear();
                return errno;
            }

            count++;
            count += TakeFromStack(request, references[count..]);
        }

        return Errno.Ok;
    }

    /// <summary>Drops many references.</summary>
    /// <param name="references">The references; empty ones are passed over.</param>
    /// <exception cref="ObjectDisposedException">One of them was dropped before; those before it are dropped now.</exception>
    /// <remarks><b>Linux:</b> release_pages, folios_put (v6.12).</remarks>
    public void Release(ReadOnlySpan<PageRef> references)
    {
        NativeTable<PageMeta> metadata = pages;
        for (int i = 0; i < references.Length; i++)
        {
            if (i + PrefetchDistance < references.Length)
            {
                metadata.Prefetch(references[i + PrefetchDistance].Page.Value);
            }

            references[i].Dispose();
        }
    }

    // What lies on the stack that serves a request; none where there is more to be looked at than the stack.
    private int TakeFromStack(AllocationRequest request, Span<PageRef> references)
    {
        FrameCpu cpu = CurrentCpu();
        FrameStack? stack = request.Bits == cpu.LastRequest ? cpu.LastTaken : null;
        if (stack is null || faults.IsOn || !cpu.TryEnter())
        {
            return 0;
        }

        Span<ulong> frames = stackalloc ulong[FrameStack.Batch];
        int count = stack.PopMany(frames[..Math.Min(frames.Length, references.Length)]);
        cpu.Exit();
        for (int i = 0; i < count; i++)
        {
            references[i] = new PageRef(table, HandOut(frames[i], stack.FreeWord, stack.SoleWord));
            if (Check.Enabled)
            {
                Fill(frames[i], request);
            }
        }

        return count;
    }
}
