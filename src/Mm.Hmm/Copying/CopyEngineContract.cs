using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Native;

namespace Mm.Hmm.Copying;

/// <summary>What every <see cref="ICopyEngine"/> promises, as code: for the tests of whoever writes one, and for Mm's own calls.</summary>
/// <remarks>
/// <see cref="TrySubmit"/> and <see cref="Wait"/> call the engine and check its answers where <see cref="Check.Enabled"/>;
/// <see cref="ThrowIfBroken"/> asks everything at once. A broken promise is a mistake of the engine's author, hence an
/// <see cref="ArgumentException"/>.
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class CopyEngineContract
{
    /// <summary>Submits a job, and checks what the engine made of it where checks are on.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="job">A job that is being filled.</param>
    /// <returns>What the engine answers, see <see cref="ICopyEngine.TrySubmit"/>.</returns>
    /// <exception cref="ArgumentException">The list is at fault, or the engine breaks a promise.</exception>
    public static Errno TrySubmit(ICopyEngine engine, CopyJob job)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(job);
        CheckList(job);
        Errno errno = engine.TrySubmit(job);
        if (Check.Enabled)
        {
            bool isFilling = job.State == CopyJobState.Filling;
            if (errno.IsOk == isFilling)
            {
                throw Broken(engine, $"a job is the engine's exactly when it was taken; after {errno} it is {job.State}");
            }
        }

        return errno;
    }

    /// <summary>Waits for a job, and checks what the engine says of it where checks are on.</summary>
    /// <param name="engine">The engine that took it.</param>
    /// <param name="job">The job.</param>
    /// <returns>Why the work failed, see <see cref="CopyFence.Wait"/>.</returns>
    /// <exception cref="ArgumentException">The engine breaks a promise.</exception>
    public static Errno Wait(ICopyEngine engine, CopyJob job)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(job);
        Errno failure = job.Fence.Wait();
        if (Check.Enabled)
        {
            int written = 0;
            for (int index = 0; index < job.Count; index++)
            {
                written += job.IsWritten(index) ? 1 : 0;
            }

            // Without a page, only the engine's end can fail a job.
            if (failure.IsOk != (written == job.Count) && job.Count != 0)
            {
                throw Broken(
                    engine,
                    $"a job fails exactly when a page is not written; it says {failure} with {written} of {job.Count} written");
            }
        }

        return failure;
    }

    /// <summary>Holds an engine against its whole contract, on pages whose bytes are lost.</summary>
    /// <param name="engine">The engine, idle.</param>
    /// <param name="bytes">How it sees pages.</param>
    /// <param name="jobs">Where jobs come from.</param>
    /// <param name="pages">Pages of 4 KiB that it can reach; four or more, each once.</param>
    /// <exception cref="ArgumentException">It breaks a promise; the message says which.</exception>
    public static void ThrowIfBroken(ICopyEngine engine, IPageBytes bytes, CopyJobPool jobs, params ReadOnlySpan<Pfn> pages)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(bytes);
        ArgumentNullException.ThrowIfNull(jobs);
        ArgumentOutOfRangeException.ThrowIfLessThan(pages.Length, 4, nameof(pages));
        Require(!string.IsNullOrEmpty(engine.Name), engine, "Name must not be empty");
        for (int index = 0; index < pages.Length; index++)
        {
            Fill(bytes, pages[index], PatternOf(index));
        }

        CopyCounters before = engine.Counters;
        using CopyJob job = jobs.Rent();
        int half = pages.Length / 2;
        for (int index = 0; index < half; index++)
        {
            // The first half goes over the second, but for its last page, which is cleared.
            job.Add(index < half - 1 ? PageCopy.Of(pages[index], pages[half + index]) : PageCopy.Clear(pages[half + index]));
        }

        TrySubmit(engine, job).ThrowIfError();
        Wait(engine, job).ThrowIfError();
        for (int index = 0; index < half; index++)
        {
            byte wanted = index < half - 1 ? PatternOf(index) : (byte)0;
            Require(Holds(bytes, pages[index], PatternOf(index)), engine, $"a source keeps its bytes; {pages[index]} has not");
            Require(Holds(bytes, pages[half + index], wanted), engine, $"a written page holds its source; {pages[half + index]} does not");
        }

        CopyCounters after = engine.Counters;
        Require(
            after.Copied.Value - before.Copied.Value == (ulong)half - 1 && after.Cleared.Value - before.Cleared.Value == 1
                && after.Jobs - before.Jobs == 1 && after.FailedJobs == before.FailedJobs,
            engine,
            $"counters count pages and jobs; {before} became {after}");
    }

    /// <summary>Refuses a list that writes a page twice, or reads what it writes, where checks are on.</summary>
    /// <param name="job">The job.</param>
    /// <exception cref="ArgumentException">It does.</exception>
    internal static void CheckList(CopyJob job)
    {
        if (!Check.Enabled)
        {
            return; // sorting costs as much as copying a good part of the list
        }

        Span<PageUse> uses = job.Uses();
        uses.Sort(static (left, right) => left.Start.CompareTo(right.Start));
        ulong readUntil = 0;
        ulong writtenUntil = 0;
        foreach (PageUse use in uses)
        {
            if (use.Start < writtenUntil || (use.IsWritten && use.Start < readUntil))
            {
                throw new ArgumentException(
                    $"a job must write each page once and read none that it writes; {new Pfn(use.Start)} is in it twice", nameof(job));
            }

            writtenUntil = use.IsWritten ? Math.Max(writtenUntil, use.End) : writtenUntil;
            readUntil = use.IsWritten ? readUntil : Math.Max(readUntil, use.End);
        }
    }

    private static byte PatternOf(int index) => (byte)((index % 255) + 1);

    private static void Fill(IPageBytes bytes, Pfn page, byte value)
    {
        bytes.TryLease(page, PageSize.Small, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            lease.Bytes.Fill(value);
        }
    }

    private static bool Holds(IPageBytes bytes, Pfn page, byte value)
    {
        bytes.TryLease(page, PageSize.Small, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            return !lease.Bytes.ContainsAnyExcept(value);
        }
    }

    private static void Require(bool holds, ICopyEngine engine, string promise)
    {
        if (!holds)
        {
            throw Broken(engine, promise);
        }
    }

    private static ArgumentException Broken(ICopyEngine engine, string promise) =>
        new($"engine '{engine.Name}' breaks its contract: {promise}", nameof(engine));
}
