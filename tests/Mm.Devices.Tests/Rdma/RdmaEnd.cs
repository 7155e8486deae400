using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Rdma;

/// <summary>One end of a connection: a NIC, the process that opened it, and what that made.</summary>
internal sealed class RdmaEnd
{
    internal RdmaEnd(
        RdmaWire wire, PciSystem pci, string place, AddressSpace space, RdmaOptions? options, ulong memlockPages, bool mayLockAll = false)
    {
        RdmaNic.TryCreate(wire, pci, PciAddress.Parse(place), options, out RdmaNic? nic).ThrowIfError();
        Nic = nic!;
        Space = space;
        Nic.TryOpen(space, new PageCount(memlockPages), out RdmaContext? context, mayLockAll).ThrowIfError();
        Context = context!;
        Context.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
        Domain = domain!;
        Domain.TryCreateQueuePair(Sends, Receives, 16, out RdmaQueuePair? pair).ThrowIfError();
        Pair = pair!;
    }

    internal RdmaNic Nic { get; }

    internal AddressSpace Space { get; }

    internal RdmaContext Context { get; }

    internal ProtectionDomain Domain { get; }

    internal CompletionQueue Sends { get; } = new(64);

    internal CompletionQueue Receives { get; } = new(64);

    internal RdmaQueuePair Pair { get; }

    internal const RegionAccess All =
        RegionAccess.LocalWrite | RegionAccess.RemoteRead | RegionAccess.RemoteWrite | RegionAccess.RemoteAtomic;

    /// <summary>Memory of the process that holds one byte all over.</summary>
    internal VirtRange Map(int pages, byte value = 0)
    {
        var request = new AreaRequest(
            new PageCount((ulong)pages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
        Space.TryMap(request, out VirtRange range).ThrowIfError();
        if (value != 0)
        {
            Write(range, value);
        }

        return range;
    }

    internal void Write(VirtRange range, byte value)
    {
        byte[] bytes = new byte[range.Length.Value];
        bytes.AsSpan().Fill(value);
        Assert.That(Space.Write(range.Start, bytes), Is.EqualTo(FaultResult.Done));
    }

    internal byte[] Read(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        Assert.That(Space.Read(range.Start, bytes), Is.EqualTo(FaultResult.Done));
        return bytes;
    }

    internal MemoryRegion Register(VirtRange range, RegionAccess access = All)
    {
        Domain.TryRegister(range.Start, range.Length, access, out MemoryRegion? region).ThrowIfError();
        return region!;
    }

    internal static LocalPiece Piece(MemoryRegion region, ulong offset = 0, ulong? length = null) => new(
        region.Range.Start.AddChecked(new ByteCount(offset)),
        new ByteCount(length ?? (region.Range.Length.Value - offset)), region.Key);

    /// <summary>Posts work and takes its completion.</summary>
    internal WorkStatus Do(WorkOpcode opcode, LocalPiece local, MemoryRegion remote, ulong offset = 0)
    {
        Pair.TryPost(new WorkRequest(1, opcode, local)
        {
            RemoteAddress = remote.Range.Start.AddChecked(new ByteCount(offset)),
            RemoteKey = remote.Key,
        }).ThrowIfError();
        return Completed().Status;
    }

    internal WorkCompletion Completed()
    {
        _ = Nic.Process();
        Assert.That(Sends.TryPoll(out WorkCompletion completion), Is.True, "work has completed");
        return completion;
    }

    internal List<LedgerEntry> Ledger()
    {
        var entries = new List<LedgerEntry>();
        Nic.Report(entries);
        return entries;
    }
}
