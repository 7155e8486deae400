using System.Diagnostics;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Pagemaps;

namespace Mm.Core.Tests;

internal sealed class MachineTests
{
    private static readonly NodeId Node0 = new(0);

    [Test]
    public void Lease_OfRamAndOfAWindow_KeepsItsBytes()
    {
        using Machine machine = SmallMachine();
        using (SpanLease ram = machine.Lease(Range(0xFFFF, 1)))
        using (SpanLease bar = machine.Lease(Range(0x8000_0000, 4)))
        {
            ram.Bytes[0] = 1;
            bar.Bytes.Fill(2);
        }

        using SpanLease again = machine.Lease(Range(0x8000_0002, 4));
        Assert.That(again.Bytes.ToArray(), Is.EqualTo(new byte[] { 2, 2, 0, 0 }));
        machine.Validate();
    }

    [TestCase(0x1_0000UL, 1UL, TestName = "TryLease_OfAHole_IsENXIO")]
    [TestCase(0xFFFFUL, 2UL, TestName = "TryLease_AcrossTwoRegions_IsENXIO")]
    [TestCase(0x9000_0000UL, 1UL, TestName = "TryLease_OfNothing_IsENXIO")]
    [TestCase(ulong.MaxValue, 1UL, TestName = "TryLease_AtTheTop_IsENXIO")]
    public void RefusedLease(ulong start, ulong length)
    {
        using Machine machine = SmallMachine();
        Assert.That(machine.TryLease(Range(start, length), out SpanLease lease), Is.EqualTo(Errno.ENXIO));
        Assert.That(lease.Length.IsZero, Is.True);
        Assert.That(() => machine.Lease(Range(start, length)).Dispose(), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void TryLease_OfDevicePrivateMemory_IsENXIO()
    {
        using Machine machine = SmallMachine();
        ByteCount before = machine.NativeBytes;
        Assert.That(machine.TryAddDevicePrivate("vram", ByteCount.FromMiB(3), out AddressRegion? region), Is.EqualTo(Errno.Ok));
        Assert.That(region!.Range.Length, Is.EqualTo(ByteCount.FromMiB(4)), "rounded to the granule of page maps");
        Assert.That(machine.TryLease(region.Range.Slice(default, new ByteCount(1)), out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(machine.NativeBytes, Is.EqualTo(before));
    }

    [Test]
    public void DevicePrivateMemory_OfAMachine_TakesAPageMap()
    {
        using Machine machine = SmallMachine();
        _ = machine.TryAddDevicePrivate("vram", ByteCount.FromMiB(4), out AddressRegion? region);
        var request = new PagemapRequest { Kind = PagemapKind.Generic, Ranges = [region!.Range] };
        Assert.That(machine.Pagemaps.TryAdd(request, out Pagemap? map), Is.EqualTo(Errno.Ok));
        Assert.That(map!.TryHandOut(region.Range.Start.Pfn, out PageRef page, out _), Is.EqualTo(Errno.Ok));
        machine.Validate();
        page.Dispose();
        map.Unmap();
        machine.Validate();
        Assert.That(map.State, Is.EqualTo(PagemapState.Dead));
    }

    [Test]
    public void TryAddDevicePrivate_TwiceThenRemoved_ReusesTheTop()
    {
        using Machine machine = SmallMachine();
        _ = machine.TryAddDevicePrivate("a", ByteCount.FromMiB(2), out AddressRegion? first);
        _ = machine.TryAddDevicePrivate("b", ByteCount.FromMiB(2), out AddressRegion? second);
        Assert.That(second!.Range.IsFollowedBy(first!.Range), Is.True);
        Assert.That(machine.TryRemoveRegion(first), Is.EqualTo(Errno.Ok));
        _ = machine.TryAddDevicePrivate("c", ByteCount.FromMiB(2), out AddressRegion? third);
        Assert.That(third!.Range, Is.EqualTo(first.Range));
    }

    [Test]
    public void TryAddDevicePrivate_OfNothing_IsEINVALAndOfTooMuchERANGE()
    {
        using Machine machine = SmallMachine();
        Assert.That(machine.TryAddDevicePrivate("a", default, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(machine.TryAddDevicePrivate("a", ByteCount.MaxValue, out _), Is.EqualTo(Errno.EINVAL));
        Assert.That(machine.TryAddDevicePrivate("a", new ByteCount(1UL << 52), out _), Is.EqualTo(Errno.ERANGE));
    }

    [Test]
    public void Window_HotAdded_HasBytes()
    {
        using Machine machine = SmallMachine();
        Assert.That(machine.TryAddDeviceWindow("late BAR", Range(0x9000_0000, 64), out AddressRegion? window), Is.EqualTo(Errno.Ok));
        machine.Lease(window!.Range).Dispose();
        machine.Validate();
    }

    [Test]
    public void Window_HotAddedWhereSomethingLies_IsEBUSYAndChangesNothing()
    {
        using Machine machine = SmallMachine();
        IReadOnlyList<AddressRegion> before = machine.AddressMap.Regions;
        Assert.That(machine.TryAddDeviceWindow("bar", Range(0xF000, 0x1001), out AddressRegion? window), Is.EqualTo(Errno.EBUSY));
        Assert.That(window, Is.Null);
        Assert.That(machine.AddressMap.Regions, Is.SameAs(before));
    }

    [TestCase(0x1000UL, 0UL)]
    [TestCase(1UL << 52, 1UL)]
    public void Window_HotAddedIllegally_IsEINVAL(ulong start, ulong length)
    {
        using Machine machine = SmallMachine();
        Assert.That(machine.TryAddDeviceWindow("bar", Range(start, length), out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Window_RemovedWhileLeased_KeepsItsBytesForTheLeaseAndLosesItsToken()
    {
        using Machine machine = SmallMachine();
        AddressRegion window = machine.AddressMap.Regions[2];
        ValidityToken token = window.Validity;
        ByteCount before = machine.NativeBytes;
        using (SpanLease lease = machine.Lease(window.Range))
        {
            Assert.That(machine.TryRemoveRegion(window), Is.EqualTo(Errno.Ok));
            lease.Bytes.Fill(1);
            Assert.That(machine.NativeBytes, Is.GreaterThan(before));
        }

        Assert.That(machine.NativeBytes, Is.EqualTo(before));
        Assert.That(token.IsValid, Is.False);
        Assert.That(machine.TryLease(window.Range, out _), Is.EqualTo(Errno.ENXIO));
        Assert.That(machine.TryRemoveRegion(window), Is.EqualTo(Errno.ENOENT));
    }

    [TestCase(0)]
    [TestCase(1)]
    public void Region_OfTheMachineItself_CannotBeRemoved(int index)
    {
        using Machine machine = SmallMachine();
        Assert.That(machine.TryRemoveRegion(machine.AddressMap.Regions[index]), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Machine_Disposed_LeavesNothingAndRefusesUse()
    {
        Machine machine = SmallMachine();
        machine.Lease(Range(0, 1)).Dispose();
        machine.Dispose();
        machine.Dispose(); // twice does nothing
        Assert.That(machine.NativeBytes.IsZero, Is.True);
        Assert.That(() => machine.Lease(Range(0, 1)).Dispose(), Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(machine.Validate, Throws.InstanceOf<ObjectDisposedException>());
        Assert.That(() => machine.RegisterDevice("late"), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void Devices_Registered_AreNumberedFromOneAndFoundByName()
    {
        using Machine machine = SmallMachine();
        DeviceId gpu = machine.RegisterDevice("0000:41:00.0");
        DeviceId nic = machine.RegisterDevice("0000:42:00.0");
        Assert.That((gpu.Value, nic.Value, machine.DeviceCount), Is.EqualTo((1u, 2u, 2)));
        Assert.That(machine.DeviceName(nic), Is.EqualTo("0000:42:00.0"));
        Assert.That(machine.TryFindDevice("0000:41:00.0", out DeviceId found) ? found : default, Is.EqualTo(gpu));
        Assert.That(machine.TryFindDevice("0000:43:00.0", out _), Is.False);
    }

    [Test]
    public void Device_NamedTwiceOrUnknown_IsRefused()
    {
        using Machine machine = SmallMachine();
        _ = machine.RegisterDevice("gpu");
        Assert.That(() => machine.RegisterDevice("gpu"), Throws.ArgumentException.With.Message.Contains("device 1"));
        Assert.That(() => machine.RegisterDevice(""), Throws.ArgumentException);
        Assert.That(() => machine.DeviceName(DeviceId.None), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => machine.DeviceName(new DeviceId(2)), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Random_OfAMachine_DependsOnSeedAndName()
    {
        using Machine one = Machine.CreateBuilder().WithSeed(1).Build();
        using Machine twin = Machine.CreateBuilder().WithSeed(1).Build();
        using Machine other = Machine.CreateBuilder().WithSeed(2).Build();
        ulong bits = one.CreateRandom("x").NextBits();
        Assert.That(twin.CreateRandom("x").NextBits(), Is.EqualTo(bits));
        Assert.That(other.CreateRandom("x").NextBits(), Is.Not.EqualTo(bits));
    }

    [Test]
    public void Machine_Of16TiB_BuildsInUnder10MsAndUnder16MiB()
    {
        BuildHuge().Dispose(); // the JIT's share
        long bestMs = long.MaxValue;
        for (int i = 0; i < 5; i++)
        {
            var watch = Stopwatch.StartNew();
            using Machine machine = BuildHuge();
            bestMs = Math.Min(bestMs, watch.ElapsedMilliseconds);
        }

        Assert.That(bestMs, Is.LessThan(10));
        long before = ResidentBytes();
        using (Machine machine = BuildHuge())
        {
            machine.Lease(Range(0, 1)).Dispose();
            machine.Lease(Range((16UL << 40) - 1, 1)).Dispose();
            Assert.That(ResidentBytes() - before, Is.LessThan(16L << 20));
        }
    }

    [Test]
    public void Machines_AThousandAtOnce_LiveSideBySide()
    {
        var machines = new List<Machine>();
        for (uint i = 0; i < 1000; i++)
        {
            Machine machine = Machine.CreateBuilder().AddRam(Node0, Range(0, 1 << 30)).Build();
            machines.Add(machine);
            using SpanLease lease = machine.Lease(Range(4096, 4));
            lease.Bytes[0] = (byte)(i & 0xFF);
        }

        for (int i = 0; i < 1000; i++)
        {
            using (SpanLease lease = machines[i].Lease(Range(4096, 4)))
            {
                Assert.That(lease.Bytes[0], Is.EqualTo((byte)(i & 0xFF)));
            }

            machines[i].Dispose();
        }
    }

    private static Machine BuildHuge() =>
        Machine.CreateBuilder().AddRam(Node0, Range(0, 8UL << 40)).AddRam(new NodeId(1), Range(8UL << 40, 8UL << 40)).Build();

    private static long ResidentBytes()
    {
        using var process = Process.GetCurrentProcess();
        return process.WorkingSet64;
    }

    private static Machine SmallMachine() => Machine.CreateBuilder()
        .AddRam(Node0, Range(0, 0x1_0000))
        .AddReserved(Range(0x1_0000, 0x1000))
        .AddDeviceWindow("gpu BAR 0", Range(0x8000_0000, 0x1000))
        .Build();

    private static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));
}
