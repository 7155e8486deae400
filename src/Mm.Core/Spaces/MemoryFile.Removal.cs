using Mm.Core.Frames;
using Mm.Core.Native;

namespace Mm.Core.Spaces;

/// <content>How pages leave the file.</content>
public sealed partial class MemoryFile
{
    // Mappings are told without the lock, before the pages go, and again for who took a page in between.
    private void Truncate(FileMapping[] told)
    {
        var first = new ByteCount(Size.Value).ToPagesRoundUp();
        foreach (FileMapping mapping in told)
        {
            mapping.Watcher.RemovePages(this, first);
        }

        using (gate.Enter())
        {
            RemovePages();
        }

        foreach (FileMapping mapping in told)
        {
            mapping.Watcher.RemovePages(this, first);
        }
    }

    private void RemovePages()
    {
        ulong limit = new ByteCount(size).ToPagesRoundUp().Value;
        foreach ((ulong index, PageRef page) in pages)
        {
            if (index >= limit)
            {
                Put(page);
                _ = pages.Remove(index); // a dictionary allows removal while it is gone over
            }
        }

        ulong kept = size % PageBytes;
        if (kept != 0 && pages.TryGetValue(limit - 1, out PageRef last))
        {
            using SpanLease lease = Lease(last, kept, (int)(PageBytes - kept));
            lease.Bytes.Clear();
        }
    }

    private void Put(PageRef page)
    {
        if (MappingWord != 0)
        {
            page.Table.SetBelongsTo(page.Page, mapping: 0, index: 0);
        }

        page.Dispose();
    }
}
