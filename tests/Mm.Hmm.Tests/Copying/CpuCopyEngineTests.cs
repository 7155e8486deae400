using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class CpuCopyEngineTests
{
    [Test]
    public void TrySubmit_OfTwoPagesAndAClear_WritesThemAndCounts()
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(rig.Cpu, rig.Faults);
        rig.Fill(rig.Ram(0), 1);
        rig.Fill(rig.Ram(512), 2, PageSize.Large);
        rig.Fill(rig.Ram(20), 3);
        using CopyJob job = rig.Job(
            PageCopy.Of(rig.Ram(0), rig.Ram(10)), PageCopy.Of(rig.Ram(512), rig.Ram(1024), PageSize.Large), PageCopy.Clear(rig.Ram(20)));
        CopyEngineContract.TrySubmit(engine, job).ThrowIfError();
        Assert.That((job.State, job.Fence.IsSignaled, job.Fence.Error), Is.EqualTo((CopyJobState.Signaled, true, Errno.Ok)));
        Assert.That(CopyEngineContract.Wait(engine, job), Is.EqualTo(Errno.Ok));
        Assert.That(
            (rig.Holds(rig.Ram(10), 1), rig.Holds(rig.Ram(1024), 2, PageSize.Large), rig.Holds(rig.Ram(20), 0)), Is.EqualTo((true, true, true)));
        Assert.That(job.WrittenPages, Is.EqualTo(new PageCount(514)));
        Assert.That(engine.Counters, Is.EqualTo(new CopyCounters(new PageCount(513), PageCount.One, 1, 0)));
        Assert.That(engine.Counters.CopiedBytes, Is.EqualTo(new PageCount(513).ToBytes()));
    }

    [Test]
    public void TrySubmit_OfPrivateMemory_FailsAtThatPageWithENXIO()
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(rig.Cpu, rig.Faults);
        using CopyJob from = rig.Job(PageCopy.Clear(rig.Ram(0)), PageCopy.Of(rig.Private(0), rig.Ram(1)), PageCopy.Clear(rig.Ram(2)));
        using CopyJob to = rig.Job(PageCopy.Of(rig.Ram(0), rig.Private(0)));
        engine.TrySubmit(from).ThrowIfError();
        engine.TrySubmit(to).ThrowIfError();
        Assert.That((from.Fence.Error, to.Fence.Error), Is.EqualTo((Errno.ENXIO, Errno.ENXIO)));
        Assert.That((from.OutcomeOf(0), from.OutcomeOf(1), from.OutcomeOf(2)), Is.EqualTo((Errno.Ok, Errno.ENXIO, Errno.ECANCELED)));
        Assert.That(engine.Counters, Is.EqualTo(new CopyCounters(PageCount.Zero, PageCount.One, 2, 2)));
    }

    [Test]
    public void TrySubmit_EachPageFailingInTurn_WritesThoseBeforeAndTearsThatOne([Range(1, 6)] int nth)
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(rig.Cpu, rig.Faults);
        using CopyJob job = rig.Jobs.Rent();
        for (ulong page = 0; page < 5; page++)
        {
            rig.Fill(rig.Ram(page), 1);
            rig.Fill(rig.Ram(page + 10), 0xEE);
            job.Add(page == 2 ? PageCopy.Clear(rig.Ram(page + 10)) : PageCopy.Of(rig.Ram(page), rig.Ram(page + 10)));
        }

        rig.Faults.FailNth(CopyFaults.Page, (ulong)nth);
        engine.TrySubmit(job).ThrowIfError();
        Assert.That(CopyEngineContract.Wait(engine, job), Is.EqualTo(nth > 5 ? Errno.Ok : Errno.EHWPOISON));
        for (int page = 0; page < 5; page++)
        {
            byte value = page == 2 ? (byte)0 : (byte)1;
            byte[] bytes = rig.Read(job[page].Destination);
            bool isWhole = !bytes.AsSpan().ContainsAnyExcept(value);
            Assert.That(job.IsWritten(page), Is.EqualTo(page < nth - 1));
            Assert.That(isWhole, Is.EqualTo(page < nth - 1), $"page {page}");
            Assert.That((bytes[0], bytes[4095]), Is.EqualTo(page < nth - 1 ? (value, value) : page == nth - 1 ? (value, (byte)0xEE) : ((byte)0xEE, (byte)0xEE)));
        }
    }

    [Test]
    public void TrySubmit_OfNoPage_SignalsOk()
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(rig.Cpu, rig.Faults);
        using CopyJob job = rig.Job();
        engine.TrySubmit(job).ThrowIfError();
        Assert.That((job.Fence.Wait(), engine.Name), Is.EqualTo((Errno.Ok, "cpu")));
    }

    [Test]
    public void TrySubmit_ThroughAViewThatThrows_SignalsEIOAndThrows()
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(new ThrowingBytes(rig.Cpu, rig.Ram(1)), rig.Faults);
        using CopyJob job = rig.Job(PageCopy.Clear(rig.Ram(0)), PageCopy.Clear(rig.Ram(1)), PageCopy.Clear(rig.Ram(2)));
        Assert.That(() => engine.TrySubmit(job), Throws.InstanceOf<ThrowingBytes.Thrown>());
        Assert.That((job.Fence.Error, job.IsWritten(0), job.OutcomeOf(1)), Is.EqualTo((Errno.EIO, true, Errno.ECANCELED)));
    }

    [TestCase(1)]
    [TestCase(64)]
    public void RentSubmitAndDispose_OfAJobLikeTheLast_AllocateNothing(int pages)
    {
        using var rig = new CopyRig();
        var engine = new CpuCopyEngine(rig.Cpu, rig.Faults);
        Pfn ram = rig.Ram(0);
        Assert.That(
            Allocations.BytesOf(() =>
            {
                using CopyJob job = rig.Jobs.Rent();
                for (int page = 0; page < pages; page++)
                {
                    job.Add(PageCopy.Of(ram.AddChecked(new PageCount((ulong)page)), ram.AddChecked(new PageCount((ulong)page + 64))));
                }

                CopyEngineContract.TrySubmit(engine, job).ThrowIfError();
                CopyEngineContract.Wait(engine, job).ThrowIfError();
            }),
            Is.Zero);
    }
}
