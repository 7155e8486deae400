using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Pools;

namespace Mm.Devices.Tests.Soak;

/// <summary>A driver that lets regions reach one page of a drive's buffer, until it takes it away.</summary>
internal sealed class SoakPeer(PciSystem pci, P2pMemory memory) : IPeerMemory
{
    internal static readonly VirtAddr Start = new(0x5000_0000);

    public string Name => "drive";

    internal P2pMemory Memory { get; } = memory;

    internal Action? TakeAway { get; private set; }

    internal int Out { get; private set; }

    public Errno TryGetPages(VirtAddr start, ByteCount length, Action takeAway, out PhysRangeList? list)
    {
        PhysRangeListBuilder builder = pci.CreateListBuilder();
        builder.TryAppend(Memory.Range.Slice(default, length)).ThrowIfError();
        list = builder.Build();
        TakeAway += takeAway;
        Out++;
        return Errno.Ok;
    }

    public void PutPages(PhysRangeList list)
    {
        Out--;
        list.Dispose();
    }
}
