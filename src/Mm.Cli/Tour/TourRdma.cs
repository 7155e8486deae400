using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Rdma;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Tour;

/// <summary>Two NICs on one wire for the chapters that use them: the drive's place stands for the second.</summary>
internal sealed class TourRdma : IDisposable
{
    /// <summary>All rights.</summary>
    public const RegionAccess Access = RegionAccess.LocalWrite | RegionAccess.RemoteRead | RegionAccess.RemoteWrite;

    private readonly RdmaWire wire = new();
    private readonly CompletionQueue done = new(capacity: 64);
    private readonly RdmaQueuePair pair;
    private readonly MemoryRegion local;
    private readonly RdmaNic sender;
    private readonly AddressSpace space;

    /// <summary>Opens both, connects them, and fills the sender's memory.</summary>
    public TourRdma(TourStage stage, PageCount pages, bool isStepped)
    {
        stage.Machine.Spaces.TryCreate(out AddressSpace? made).ThrowIfError();
        space = made!;
        (Nic, Domain, RdmaQueuePair there) = Open(stage, stage.DirectNic, isStepped);
        (sender, ProtectionDomain own, pair) = Open(stage, stage.Drive, isStepped);
        pair.TryConnect(there).ThrowIfError();
        var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
        space.TryMap(new AreaRequest(pages.ToBytes(), traits), out VirtRange range).ThrowIfError();
        Source = range;
        own.TryRegister(range.Start, range.Length, Access, out MemoryRegion? region).ThrowIfError();
        local = region!;
    }

    /// <summary>The NIC beside the GPU.</summary>
    public RdmaNic Nic { get; }

    /// <summary>Where its regions are registered.</summary>
    public ProtectionDomain Domain { get; }

    /// <summary>What the other NIC sends.</summary>
    public VirtRange Source { get; }

    /// <summary>Fills what the other NIC sends.</summary>
    public void Fill(byte value)
    {
        byte[] bytes = new byte[Source.Length.Value];
        bytes.AsSpan().Fill(value);
        if (space.Write(Source.Start, bytes) != FaultResult.Done)
        {
            throw new InvalidOperationException("the sender's memory is gone");
        }
    }

    /// <summary>The other NIC starts to write all it has to a region.</summary>
    public void Post(MemoryRegion remote) => pair.TryPost(
        new WorkRequest(1, WorkOpcode.Write, new LocalPiece(Source.Start, Source.Length, local.Key))
        {
            RemoteAddress = remote.Range.Start,
            RemoteKey = remote.Key,
        }).ThrowIfError();

    /// <summary>Sends packets.</summary>
    public int Send(int packets) => sender.Process(packets);

    /// <summary>How the work ended.</summary>
    public WorkStatus Finish()
    {
        _ = sender.Process();
        return done.TryPoll(out WorkCompletion completion) ? completion.Status : throw new InvalidOperationException("no completion");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        sender.Dispose();
        Nic.Dispose();
        space.Dispose();
    }

    private (RdmaNic Nic, ProtectionDomain Domain, RdmaQueuePair Pair) Open(TourStage stage, PciFunction function, bool isStepped)
    {
        RdmaNic.TryCreate(
            wire, stage.Pci, function.Place, new RdmaOptions { IsStepped = isStepped }, out RdmaNic? nic).ThrowIfError();
        nic!.TryOpen(space, new PageCount(64), out RdmaContext? context).ThrowIfError();
        context!.TryCreateDomain(out ProtectionDomain? domain).ThrowIfError();
        domain!.TryCreateQueuePair(done, done, 16, out RdmaQueuePair? made).ThrowIfError();
        return (nic, domain, made!);
    }
}
