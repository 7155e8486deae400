using Mm.Core;
using Mm.Devices.Gpus.Svm;
using Mm.Hmm.Copying;

namespace Mm.Devices.Tests.Gpus.Svm;

/// <summary>Each allocation, hand-out and copy of each way fails once: nothing leaks, and nobody sees a stale byte (X3, museum 12).</summary>
internal sealed class SvmPagemapTests
{
    private const ulong Base = 0x4000_0000;
    private const int Bytes = 4 * GpuRig.Page;
    private const int MostCalls = 100; // of one point in one scenario

    private static readonly FaultPoint[] Points =
        [FaultPoint.PageAlloc, FaultPoint.Slab, FaultPoint.DevicePage, CopyFaults.Page, CopyFaults.Queue];

    [TestCase("bring", 9)]
    [TestCase("bring holes", 9)]
    [TestCase("touch", 9)]
    [TestCase("evict", 9)]
    [TestCase("fault in RAM", 3)]
    public void Failure_OfEachCall_LeaksNothingAndShowsNoStaleByte(string scenario, int leastFailures)
    {
        int failures = 0;
        foreach (FaultPoint point in Points)
        {
            for (ulong nth = 1; nth < MostCalls && FailOnce(scenario, point, nth, trustsDrivers: false, out string? stale); nth++)
            {
                Assert.That(stale, Is.Null, $"{point} {nth}");
                failures++;
            }
        }

        Assert.That(failures, Is.GreaterThanOrEqualTo(leastFailures));
    }

    [TestCase("touch")]
    [TestCase("evict")]
    public void FailureOfACopy_WhereMigrationsTrustDrivers_ShowsStaleBytes(string scenario)
    {
        bool isCaught = false;
        for (ulong nth = 1; nth <= 4; nth++)
        {
            _ = FailOnce(scenario, CopyFaults.Page, nth, trustsDrivers: true, out string? stale);
            isCaught |= stale is not null;
        }

        Assert.That(isCaught, Is.True, "museum 12 is caught");
    }

    [Test]
    public void Bring_Refused_HasItsCause()
    {
        using var rig = new SvmRig();
        VirtRange array = rig.MapFilled(Bytes, out _, Base);
        rig.Svm.TryFindOrInsert(array.Start, default, out SvmRange? range).ThrowIfError();
        rig.Machine.Faults.FailNth(CopyFaults.Page, 1);
        Assert.That(rig.Svm.TryMigrateToDevice(range!, default), Is.EqualTo(Errno.EIO));
        rig.Machine.Faults.FailNth(CopyFaults.Queue, 1);
        Assert.That(rig.Svm.TryMigrateToDevice(range!, default), Is.EqualTo(Errno.EAGAIN));
        rig.Machine.Faults.FailNth(FaultPoint.DevicePage, 1, 4);
        Assert.That(rig.Svm.TryMigrateToDevice(range!, default), Is.EqualTo(Errno.ENOMEM));
        rig.Machine.Faults.Clear();
        rig.Space.TryUnmap(array.Start, array.Length).ThrowIfError();
        Assert.That(rig.Svm.TryMigrateToDevice(range!, default), Is.EqualTo(Errno.ENOENT));
        Assert.That(rig.UsedVram, Is.Zero);
    }

    // False: nothing was left to fail.
    private static bool FailOnce(string scenario, FaultPoint point, ulong nth, bool trustsDrivers, out string? stale)
    {
        using var rig = new SvmRig(options: new SvmOptions { Chunks = [ByteCount.FromKiB(16), ByteCount.FromKiB(4)] });
        byte[] wanted = new byte[Bytes];
        VirtRange array = scenario == "bring holes" ? rig.Map(Bytes, at: Base) : rig.MapFilled(Bytes, out wanted, Base);
        if (scenario is "touch" or "evict")
        {
            rig.Svm.TryFault(array.Start, SvmRig.OnDevice).ThrowIfError();
        }

        rig.Machine.Faults.FailNth(point, nth);
        rig.Machine.Spaces.TrustsUnwrittenPages = trustsDrivers;
        switch (scenario)
        {
            case "touch":
                _ = rig.Space.Read(array.Start, new byte[1]); // a signal where it fails
                break;
            case "evict":
                rig.Gpu.Gpu.EvictProcesses();
                break;
            case "fault in RAM":
                _ = rig.Svm.TryFault(array.Start, default);
                break;
            default:
                _ = rig.Svm.TryFault(array.Start, SvmRig.OnDevice);
                break;
        }

        bool hasFailed = rig.Machine.Faults.FailureCount(point) != 0;
        rig.Machine.Faults.Clear();
        rig.Machine.Spaces.TrustsUnwrittenPages = false;
        rig.Gpu.Gpu.Validate();
        bool isSame = rig.CpuRead(array).AsSpan().SequenceEqual(wanted) && rig.GpuRead(array).AsSpan().SequenceEqual(wanted);
        stale = isSame ? null : $"{scenario} with {point} {nth}";
        return hasFailed;
    }
}
