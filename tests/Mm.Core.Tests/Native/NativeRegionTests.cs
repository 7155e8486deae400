using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

[TestFixture(NativeBacking.OperatingSystem)]
[TestFixture(NativeBacking.PinnedHeap)]
internal sealed class NativeRegionTests(NativeBacking backing)
{
    private readonly NativeBytes ledger = new();

    [TearDown]
    public void EveryRegion_AtTheEnd_LeavesTheLedgerAtZero() =>
        Assert.That((ledger.Live.Value, ledger.LiveBlocks), Is.EqualTo((0UL, 0L)));

    [Test]
    public void Bytes_Fresh_AreZero()
    {
        using NativeRegion region = Region(8192);
        using SpanLease lease = region.Lease(default, new ByteCount(8192));
        Assert.That(lease.Bytes.IndexOfAnyExcept((byte)0), Is.EqualTo(-1));
    }

    [Test]
    public void Bytes_WrittenThroughOneLease_AreReadThroughAnother()
    {
        using NativeRegion region = Region(8192);
        using SpanLease all = region.Lease(default, new ByteCount(8192));
        using (SpanLease part = region.Lease(new ByteCount(4096), new ByteCount(10)))
        {
            part.Bytes.Fill(7);
        }

        Assert.That((all.Bytes[4095], all.Bytes[4096], all.Bytes[4105], all.Bytes[4106]), Is.EqualTo(
            ((byte)0, (byte)7, (byte)7, (byte)0)));
    }

    [TestCase(0UL, 8193UL)]
    [TestCase(8192UL, 1UL)]
    [TestCase(8193UL, 0UL)]
    [TestCase(1UL, ulong.MaxValue)]
    [TestCase(ulong.MaxValue, 1UL)]
    [TestCase(ulong.MaxValue, ulong.MaxValue)]
    public void Lease_OutsideTheRegion_IsRefusedWithTheLegalInterval(ulong offset, ulong length)
    {
        using NativeRegion region = Region(8192);
        Assert.That(
            () => region.Lease(new ByteCount(offset), new ByteCount(length)).Dispose(),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("[0x0, 0x2000)"));
        Assert.That(region.OpenLeases, Is.Zero);
    }

    [Test]
    public void Lease_LongerThanASpan_IsRefused()
    {
        using NativeRegion region = Region(1UL << 33);
        Assert.That(
            () => region.Lease(default, new ByteCount(1UL << 31)).Dispose(), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [TestCase(0UL)]
    [TestCase(8192UL)]
    public void Lease_OfNoBytes_IsLegalInsideAndAtTheEnd(ulong offset)
    {
        using NativeRegion region = Region(8192);
        using SpanLease lease = region.Lease(new ByteCount(offset), default);
        Assert.That(lease.Length.IsZero, Is.True);
    }

    [Test]
    public void Owner_DisposedWhileLeased_KeepsTheMemoryUntilTheLeaseEnds()
    {
        NativeRegion region = Region(4096);
        SpanLease lease = region.Lease(default, new ByteCount(4096));
        region.Dispose();

        Assert.That((region.IsClosed, ledger.LiveBlocks), Is.EqualTo((true, 1L)));
        lease.Bytes.Fill(3);
        Assert.That(lease.Bytes[4095], Is.EqualTo(3));

        lease.Dispose();
        Assert.That(ledger.LiveBlocks, Is.Zero);
    }

    [Test]
    public void Lease_AfterDispose_IsRefused()
    {
        NativeRegion region = Region(4096);
        region.Dispose();
        region.Dispose(); // twice does nothing
        Assert.That(() => region.Lease(default, default).Dispose(), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Bytes_AfterTheLeaseEnded_AreRefused()
    {
        using NativeRegion region = Region(4096);
        Assert.That(
            () =>
            {
                SpanLease lease = region.Lease(default, new ByteCount(16));
                lease.Dispose();
                lease.Bytes[0] = 1;
            },
            Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Copy_OfALeaseDisposedTwice_IsCaughtAndTakesNobodyElsesLease()
    {
        using NativeRegion region = Region(4096);
        Assert.That(
            () =>
            {
                SpanLease lease = region.Lease(default, new ByteCount(16));
                SpanLease copy = lease;
                lease.Dispose();
                using SpanLease other = region.Lease(default, new ByteCount(16)); // takes the same ticket again
                copy.Dispose();
            },
            Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(region.OpenLeases, Is.Zero);
    }

    [Test]
    public void Span_KeptPastTheEndOfAPinnedRegion_ReadsPoison()
    {
        var region = new NativeRegion(ledger, new ByteCount(4096), NativeBacking.PinnedHeap);
        SpanLease lease = region.Lease(default, new ByteCount(16));
        Span<byte> stale = lease.Bytes;
        stale.Fill(1);
        lease.Dispose();
        region.Dispose();

        Assert.That(stale[0], Is.EqualTo(ReservedMemory.Poison));
    }

    [Test]
    public void Leases_MoreThanTicketsInStock_AreAllTheirOwn()
    {
        using NativeRegion region = Region(4096);
        OpenAndCount(region, depth: 40);
        Assert.That(region.OpenLeases, Is.Zero);
    }

    [Test]
    public void Lease_TakenAndEnded_AllocatesNothing()
    {
        using NativeRegion region = Region(4096);
        Touch(region, 10_000);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Touch(region, 10_000);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void Region_DisposedByOneOfManyThreadsThatLease_IsReleasedOnceByTheLast()
    {
        for (int round = 0; round < 200; round++)
        {
            NativeRegion region = Region(4096);
            Parallel.For(0, 8, worker =>
            {
                if (worker == 3)
                {
                    region.Dispose();
                    return;
                }

                if (region.TryLease(default, new ByteCount(64), out SpanLease lease))
                {
                    lease.Bytes.Fill((byte)worker);
                    lease.Dispose();
                }
            });
            Assert.That(ledger.LiveBlocks, Is.Zero);
        }
    }

    [Test]
    public void DefaultLease_HasNoBytesAndEndsQuietly()
    {
        SpanLease lease = default;
        Assert.That(lease.Bytes.Length, Is.Zero);
        lease.Dispose();
    }

    private static void OpenAndCount(NativeRegion region, ulong depth)
    {
        if (depth == 0)
        {
            Assert.That(region.OpenLeases, Is.EqualTo(40));
            return;
        }

        using SpanLease lease = region.Lease(default, new ByteCount(1));
        OpenAndCount(region, depth - 1);
    }

    private static void Touch(NativeRegion region, int times)
    {
        for (int i = 0; i < times; i++)
        {
            using SpanLease lease = region.Lease(default, new ByteCount(64));
            lease.Bytes[0] ^= 1;
        }
    }

    private NativeRegion Region(ulong length) => new(ledger, new ByteCount(length), backing);
}
