using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>Copies pages of a job one after the other, fetching each next source while it copies the one before.</summary>
/// <remarks>
/// Stops at the first page that fails, whose outcome it reports; reports the written ones too. The bytes are visible to
/// other threads when it returns.
/// <para><b>Linux:</b> folio_mc_copy (v6.12) for one page that breaks off; the list is Mm's own.</para>
/// <para><b>Locking:</b> whoever has the job calls it, one thread at a time.</para>
/// </remarks>
/// <param name="bytes">How the engine sees pages.</param>
/// <param name="faults">Where copies are made to fail.</param>
/// <param name="brokenOff">What a page that broke off is reported as.</param>
/// <param name="tally">What counts the pages.</param>
/// <param name="points">The explorer's points; <see langword="null"/> in production.</param>
internal sealed class PageCopier(IPageBytes bytes, FaultInjector faults, Errno brokenOff, CopyTally tally, IYieldPoints? points)
{
    // A small page is fetched whole; of a large one the start, since hardware follows once the copy is under way.
    private const int FetchedAhead = 4096;

    /// <summary>Copies a part of a job.</summary>
    /// <param name="job">The job.</param>
    /// <param name="first">The first page.</param>
    /// <param name="limit">How many pages at most.</param>
    /// <param name="failure">Why it stopped at a page; <see cref="Errno.Ok"/> when it did not.</param>
    /// <returns>The page after the last one that was written.</returns>
    /// <remarks>An exception leaves EIO in <paramref name="failure"/>.</remarks>
    internal int Copy(CopyJob job, int first, int limit, out Errno failure)
    {
        failure = Errno.EIO; // what the job is told when the view of the pages throws
        Errno stopped = Errno.Ok;
        ReadOnlySpan<PageCopy> copies = job.Copies;
        int end = (int)Math.Min(copies.Length, (long)first + limit);
        int index = first;
        ulong copied = 0;
        ulong cleared = 0;
        var sources = new PageWindow(bytes);
        var fetched = new PageWindow(bytes);
        var destinations = new PageWindow(bytes);
        CopyRun run = CopyRun.Start();
        try
        {
            for (; index < end; index++)
            {
                points?.Reach("copy-page");
                PageCopy copy = copies[index];
                Errno reached = TryReachSource(ref sources, copy, out Span<byte> source);
                Span<byte> next = default;
                _ = reached.IsOk && index + 1 < end ? TryReachSource(ref fetched, copies[index + 1], out next) : Errno.Ok;
                stopped = reached.IsOk ? CopyOne(run, copy, source, next, ref destinations) : reached;
                job.Report(index, stopped);
                if (!stopped.IsOk)
                {
                    break;
                }

                ulong pages = copy.Size.Pages.Value;
                copied += copy.IsClear ? 0 : pages;
                cleared += copy.IsClear ? pages : 0;
            }
        }
        finally
        {
            sources.Close();
            fetched.Close();
            destinations.Close();
            run.Dispose();
            tally.CountPages(copied, cleared);
        }

        failure = stopped;
        return index;
    }

    private static Errno TryReachSource(scoped ref PageWindow window, in PageCopy copy, out Span<byte> source)
    {
        source = default;
        return copy.IsClear ? Errno.Ok : window.TryReach(copy.Source, copy.Size, out source);
    }

    private Errno CopyOne(
        CopyRun run, in PageCopy copy, scoped ReadOnlySpan<byte> source, scoped ReadOnlySpan<byte> next, scoped ref PageWindow destinations)
    {
        Errno reached = destinations.TryReach(copy.Destination, copy.Size, out Span<byte> written);
        if (!reached.IsOk)
        {
            return reached;
        }

        if (faults.ShouldFail(CopyFaults.Page))
        {
            Tear(source, written);
            return brokenOff;
        }

        if (copy.IsClear)
        {
            written.Clear();
        }
        else
        {
            run.Copy(source, written, next[..Math.Min(next.Length, FetchedAhead)]);
        }

        return Errno.Ok;
    }

    // Half of the page is written: whoever trusts it all the same will see a mixture.
    private static void Tear(ReadOnlySpan<byte> source, Span<byte> written)
    {
        int half = written.Length / 2;
        if (source.IsEmpty)
        {
            written[..half].Clear();
        }
        else
        {
            source[..half].CopyTo(written);
        }
    }
}
