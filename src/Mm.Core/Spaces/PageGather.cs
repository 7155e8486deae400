using System.Buffers;

namespace Mm.Core.Spaces;

/// <summary>Pages that entries let go of, put only once no CPU can still use a stale translation.</summary>
/// <remarks>
/// Made on the stack by who clears entries; <see cref="Dispose"/> flushes and puts. Holds no lock while it puts: the last
/// reference of a device page calls its driver.
/// <para><b>Linux:</b> struct mmu_gather (v6.12).</para>
/// </remarks>
internal ref struct PageGather : IDisposable
{
    private const int Batch = 512;

    private readonly AddressSpace space;
    private Pfn[]? pages;
    private int count;

    /// <summary>An empty one.</summary>
    /// <param name="space">Whose entries.</param>
    internal PageGather(AddressSpace space) => this.space = space;

    /// <summary>A reference that is to be dropped.</summary>
    /// <param name="page">The page, or the head of a folio.</param>
    internal void Add(Pfn page)
    {
        pages ??= ArrayPool<Pfn>.Shared.Rent(Batch);
        if (count == pages.Length)
        {
            Pfn[] larger = ArrayPool<Pfn>.Shared.Rent(count * 2);
            pages.AsSpan(0, count).CopyTo(larger);
            ArrayPool<Pfn>.Shared.Return(pages);
            pages = larger;
        }

        pages[count++] = page;
    }

    /// <summary>Flushes, then drops every reference.</summary>
    public void Dispose()
    {
        space.FlushTlb();
        if (pages is null)
        {
            return;
        }

        Pfn[] gathered = pages;
        pages = null;
        for (int index = 0; index < count; index++)
        {
            space.Parts.Frames.PutFrame(gathered[index]);
        }

        ArrayPool<Pfn>.Shared.Return(gathered);
    }
}
