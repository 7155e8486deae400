using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

[TestFixture(NativeBacking.OperatingSystem)]
[TestFixture(NativeBacking.PinnedHeap)]
internal sealed class NativeTableTests(NativeBacking backing)
{
    private readonly NativeBytes ledger = new();

    [TearDown]
    public void EveryTable_AtTheEnd_LeavesTheLedgerAtZero() =>
        Assert.That((ledger.Live.Value, ledger.LiveBlocks), Is.EqualTo((0UL, 0L)));

    [Test]
    public void Entry_Fresh_IsZero()
    {
        using var table = new NativeTable<long>(ledger, 1000, backing);
        Assert.That((table[0], table[999]), Is.EqualTo((0L, 0L)));
    }

    [Test]
    public void Entry_Written_ReadsBack()
    {
        using var table = new NativeTable<long>(ledger, 100_000, backing);
        for (ulong i = 0; i < 100_000; i++)
        {
            table[i] = (long)i * 3;
        }

        for (ulong i = 0; i < 100_000; i++)
        {
            Assert.That(table[i], Is.EqualTo((long)i * 3));
        }
    }

    [TestCase(10UL)]
    [TestCase(11UL)]
    [TestCase(ulong.MaxValue)]
    [TestCase(1UL << 61)]
    public void Entry_OutsideCapacity_IsRefusedWithTheLegalInterval(ulong index)
    {
        using var table = new NativeTable<long>(ledger, 10, backing);
        Assert.That(
            () => table[index] = 1,
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("[0, 10)"));
    }

    [TestCase(0UL, 11)]
    [TestCase(10UL, 1)]
    [TestCase(5UL, -1)]
    [TestCase(ulong.MaxValue, 1)]
    [TestCase(11UL, 0)]
    public void Slice_OutsideCapacity_IsRefused(ulong index, int count)
    {
        using var table = new NativeTable<long>(ledger, 10, backing);
        Assert.That(() => table.Slice(index, count).Length, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Slice_Inside_SharesMemoryWithEntries()
    {
        using var table = new NativeTable<int>(ledger, 10, backing);
        table.Slice(3, 7).Fill(9);
        Assert.That((table[2], table[3], table[9]), Is.EqualTo((0, 9, 9)));
        Assert.That(table.Slice(10, 0).Length, Is.Zero);
    }

    [Test]
    public void Entry_AfterDispose_IsRefusedAsDisposed()
    {
        var table = new NativeTable<long>(ledger, 10, backing);
        table.Dispose();
        Assert.That(() => table[0], Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => table.Slice(0, 1).Length, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(table.Capacity, Is.Zero);
        table.Dispose(); // twice does nothing
    }

    [Test]
    public void Reference_HeldPastDispose_TouchesNobodyElsesMemory()
    {
        var table = new NativeTable<long>(ledger, 10, backing);
        ref long stale = ref table[5];
        stale = 42;
        table.Dispose();

        Assert.That(stale, Is.Not.EqualTo(42), "the memory is gone, or poisoned");
        stale = 7; // must not fault: the addresses are still this table's
        GC.KeepAlive(table);
    }

    [TestCase(0UL)]
    [TestCase(9UL)]
    [TestCase(10UL)]
    [TestCase(ulong.MaxValue)]
    public void Prefetch_AnyIndex_HasNoEffectThatCanBeSeen(ulong index)
    {
        using var table = new NativeTable<long>(ledger, 10, backing);
        table.Prefetch(index);
        Assert.That(table[9], Is.Zero);
    }

    [Test]
    public void Table_Of256GiB_CostsOnlyWhatIsTouched()
    {
        using var table = new NativeTable<long>(ledger, 1UL << 35, backing);
        table[0] = 1;
        table[(1UL << 35) - 1] = 2;
        Assert.That((table[0], table[1UL << 34], table[(1UL << 35) - 1]), Is.EqualTo((1L, 0L, 2L)));
        Assert.That(ledger.Live, Is.EqualTo(ByteCount.FromGiB(256)));
    }

    [Test]
    public void Capacity_WhoseBytesOverflow_IsRefused() =>
        Assert.That(() => new NativeTable<long>(ledger, 1UL << 62, backing), Throws.InstanceOf<OverflowException>());

    [Test]
    public void Capacity_BeyondTheAddressSpace_IsRefusedAndCountsNothing() =>
        Assert.That(
            () => new NativeTable<byte>(ledger, 1UL << 60, backing), Throws.InstanceOf<InsufficientMemoryException>());
}
