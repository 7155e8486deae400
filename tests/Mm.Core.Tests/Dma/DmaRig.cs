using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.Core.Tests.Dma;

/// <summary>A machine with 64 MiB of RAM, some RAM above 4 GiB, and two peers' windows; and lists of them.</summary>
internal sealed class DmaRig : IDisposable
{
    public const ulong BusOffset = 0x10_0000_0000;
    public static readonly PhysRange LowRam = Range(0x100_0000, 64UL << 20);
    public static readonly PhysRange HighRam = Range(0x1_0000_0000, 4UL << 20);
    public static readonly PhysRange NearWindow = Range(0xd000_0000, 16UL << 20);
    public static readonly PhysRange FarWindow = Range(0x20_0000_0000, 16UL << 20);

    private readonly PhysRangeListBuilder builder = new(UniformOwnerSource.AllRam);
    private readonly RangeOwner near;
    private readonly RangeOwner far;

    public DmaRig()
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), LowRam)
            .AddRam(new NodeId(0), HighRam)
            .AddDeviceWindow("near", NearWindow)
            .AddDeviceWindow("far", FarWindow)
            .Build();
        Client = Machine.RegisterDevice("client");
        Near = new FakeProvider("near", Machine.RegisterDevice("near"), NearWindow);
        Far = new FakeProvider("far", Machine.RegisterDevice("far"), FarWindow, BusOffset) { Kind = P2pMapKind.ThroughHostBridge };
        near = RangeOwner.ForProvider(Near);
        far = RangeOwner.ForProvider(Far);
        Domain = Machine.Dma.CreateDomain("domain");
    }

    public Machine Machine { get; }

    public DeviceId Client { get; }

    public FakeProvider Near { get; }

    public FakeProvider Far { get; }

    public IommuDomain Domain { get; }

    public static PhysRange Range(ulong start, ulong length) => new(new PhysAddr(start), new ByteCount(length));

    public DmaDevice Translated(DmaLimits limits = default, DmaMask? mask = null) =>
        Machine.Dma.Attach(Client, mask ?? DmaMask.Bits64, limits, Domain);

    public DmaDevice Direct(DmaLimits limits = default, DmaMask? mask = null) =>
        Machine.Dma.Attach(Client, mask ?? DmaMask.Bits64, limits);

    /// <summary>A list of ranges, each with the owner of the window or RAM that it lies in; never merged.</summary>
    public PhysRangeList List(params PhysRange[] ranges)
    {
        foreach (PhysRange range in ranges)
        {
            Errno errno = NearWindow.Contains(range) ? builder.TryAppend(range, near)
                : FarWindow.Contains(range) ? builder.TryAppend(range, far)
                : builder.TryAppendUnmerged(range);
            errno.ThrowIfError();
        }

        return builder.Build();
    }

    /// <summary>Everything that a refused call must leave as it was.</summary>
    public string Picture(DmaDevice device) =>
        $"{Domain.Describe()}\nlive {device.LiveMappings}, booked {device.Books.Count}, ram {Machine.Dma.Ram.Count}";

    public void Dispose()
    {
        Machine.Validate();
        Machine.Dispose();
    }
}
