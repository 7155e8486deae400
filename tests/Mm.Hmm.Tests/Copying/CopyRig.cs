using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>A machine with 64 MiB of RAM and a device with 16 MiB of its own, and the bytes of both to look at.</summary>
internal sealed class CopyRig : IDisposable
{
    private const ulong RamStart = 0x100_0000;

    public CopyRig(IYieldPoints? points = null)
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(RamStart), ByteCount.FromMiB(64)))
            .Build();
        Cpu = new CpuPageBytes(Machine);
        Machine.TryAddDevicePrivate("gpu", ByteCount.FromMiB(16), out AddressRegion? region).ThrowIfError();
        Device = new DeviceMemory(
            new PfnRange(region!.Range.Start.Pfn, region.Range.Length.ToPagesRoundDown()),
            Machine.CreateDeviceMemory(region.Range.Length),
            Cpu);
        Jobs = new CopyJobPool(points);
    }

    public Machine Machine { get; }

    public CpuPageBytes Cpu { get; }

    public DeviceMemory Device { get; }

    public CopyJobPool Jobs { get; }

    public FaultInjector Faults => Machine.Faults;

    public Pfn Ram(ulong index) => new((RamStart >> 12) + index);

    public Pfn Private(ulong index) => Device.Frames.Start.AddChecked(new PageCount(index));

    public CopyJob Job(params PageCopy[] copies)
    {
        CopyJob job = Jobs.Rent();
        foreach (PageCopy copy in copies)
        {
            job.Add(copy);
        }

        return job;
    }

    public void Fill(Pfn page, byte value, PageSize size = default)
    {
        Device.TryLease(page, size, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            lease.Bytes.Fill(value);
        }
    }

    public void Fill(Pfn page, MachineRandom random, PageSize size = default)
    {
        Device.TryLease(page, size, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            random.Fill(lease.Bytes);
        }
    }

    public byte[] Read(Pfn page, PageSize size = default)
    {
        Device.TryLease(page, size, out SpanLease lease).ThrowIfError();
        using (lease)
        {
            return lease.Bytes.ToArray();
        }
    }

    public bool Holds(Pfn page, byte value, PageSize size = default) => !Read(page, size).AsSpan().ContainsAnyExcept(value);

    public DeviceCopyEngine Stepped(IYieldPoints? points = null, int depth = 64) =>
        new("gpu-copy", Device, Faults, CopyEngineDrive.Stepped, depth, points);

    public void Dispose()
    {
        Assert.That(Jobs.RentedJobs, Is.Zero, "a job was not given back");
        Device.Dispose();
        Machine.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
    }
}
