using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Core.Spaces;
using Mm.P2pDma;
using Mm.P2pDma.Bars;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Rdma;

/// <summary>A NIC that does RDMA, with its driver: processes open it, register memory, and let it move bytes to other NICs.</summary>
/// <remarks>
/// Owns the keys of its regions and what its users made of it. Bytes are really moved: read by the one NIC's DMA, in packets,
/// and written by the other's.
/// <para><b>Linux:</b> struct ib_device and a driver as mlx5_ib (v6.12).</para>
/// <para><b>States:</b> working → removed. A reset puts queue pairs into error and revokes regions; who made them starts anew.</para>
/// <para><b>Invariants:</b> (1) removed, nothing is mapped, pinned or attached for it.</para>
/// <para><b>Locking:</b> packets by the wire's lock; keys and users by locks of their own. What takes memory away waits for one
/// access at most.</para>
/// </remarks>
public sealed partial class RdmaNic : IModelDevice
{
    private readonly PciDevice device;
    private readonly List<RdmaContext> contexts = []; // protected by the wire's lock
    private uint nextQueuePair = 1; // protected by the wire's lock
    private volatile bool isRemoved; // set with the wire's lock held

    private RdmaNic(RdmaWire wire, PciSystem pci, PciDevice device, DmaDevice view, RdmaOptions options)
    {
        Wire = wire;
        Pci = pci;
        this.device = device;
        View = view;
        Options = options;
        Name = pci.Machine.DeviceName(device.Id);
        Packet = new byte[options.PacketBytes.Value];
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public DeviceId Id => device.Id;

    /// <inheritdoc/>
    public DeviceState State => isRemoved ? DeviceState.Removed : DeviceState.Working;

    /// <summary>What it talks over.</summary>
    public RdmaWire Wire { get; }

    /// <summary>How it reaches memory.</summary>
    public DmaDevice View { get; }

    /// <summary>How it is driven.</summary>
    public RdmaOptions Options { get; }

    /// <summary>How many regions there are, revoked ones among them.</summary>
    public int RegionCount => Keys.Collect().Length;

    internal PciSystem Pci { get; }

    internal Machine Machine => Pci.Machine;

    internal IYieldPoints? Points { get; set; }

    internal RegionKeys Keys { get; } = new();

    internal byte[] Packet { get; }

    /// <summary>Binds the driver to a function.</summary>
    /// <param name="wire">What it talks over.</param>
    /// <param name="pci">The machine's PCI side.</param>
    /// <param name="place">The function.</param>
    /// <param name="options">How it is driven; null for the usual.</param>
    /// <param name="nic">The NIC; null when refused. The caller disposes it.</param>
    /// <returns>Ok; ENODEV: no such function; EBUSY: a driver has it.</returns>
    /// <exception cref="ArgumentOutOfRangeException">A packet has fewer than 8 bytes, or more than 1 MiB.</exception>
    public static Errno TryCreate(RdmaWire wire, PciSystem pci, PciPlace place, RdmaOptions? options, out RdmaNic? nic)
    {
        ArgumentNullException.ThrowIfNull(wire);
        ArgumentNullException.ThrowIfNull(pci);
        options ??= new RdmaOptions();
        if (options.PacketBytes.Value is < 8 or > 1 << 20)
        {
            throw new ArgumentOutOfRangeException(nameof(options), options.PacketBytes, "PacketBytes must be in [8, 1 MiB]");
        }

        nic = null;
        Errno errno = pci.TryAttach(place, DmaMask.Bits64, default, options.Domain, out DmaDevice? view);
        if (!errno.IsOk)
        {
            return errno;
        }

        if (!pci.Devices.TryFind(place, out PciDevice? device))
        {
            return Errno.ENODEV;
        }

        nic = new RdmaNic(wire, pci, device, view!, options);
        return Errno.Ok;
    }

    /// <summary>A process opens the NIC.</summary>
    /// <param name="space">The process's addresses.</param>
    /// <param name="memlock">How many pages it may have pinned. <b>Linux:</b> RLIMIT_MEMLOCK.</param>
    /// <param name="context">What it opened; null when refused. The caller disposes it.</param>
    /// <param name="mayLockAll">Whether it may pin more than that. <b>Linux:</b> CAP_IPC_LOCK.</param>
    /// <returns>Ok; ENODEV: the NIC is gone; ENOMEM: no memory.</returns>
    public Errno TryOpen(AddressSpace space, PageCount memlock, out RdmaContext? context, bool mayLockAll = false)
    {
        ArgumentNullException.ThrowIfNull(space);
        context = null;
        lock (Wire.Gate)
        {
            if (isRemoved || Machine.Faults.ShouldFail(FaultPoint.Slab))
            {
                return isRemoved ? Errno.ENODEV : Errno.ENOMEM;
            }

            context = new RdmaContext(this, space, memlock, mayLockAll);
            contexts.Add(context);
            return Errno.Ok;
        }
    }

    /// <summary>Sends packets of work that waits, one of each queue pair in turn.</summary>
    /// <param name="most">How many at most.</param>
    /// <returns>How many were sent, failed ones among them.</returns>
    public int Process(int most = int.MaxValue)
    {
        lock (Wire.Gate)
        {
            int done = 0;
            bool isBusy = true;
            while (isBusy && done < most)
            {
                isBusy = false;
                foreach (RdmaQueuePair pair in CollectPairs())
                {
                    bool sent = done < most && pair.SendPacket();
                    isBusy |= sent;
                    done += sent ? 1 : 0;
                }
            }

            return done;
        }
    }

    /// <inheritdoc/>
    /// <remarks>Queue pairs are in error and their work is flushed; regions are revoked, and their keys stay theirs.</remarks>
    public void Reset()
    {
        lock (Wire.Gate)
        {
            if (isRemoved)
            {
                return;
            }

            foreach (RdmaQueuePair pair in CollectPairs())
            {
                pair.Fail();
            }
        }

        foreach (MemoryRegion region in Keys.Collect())
        {
            region.Revoke();
        }
    }

    /// <inheritdoc/>
    public void Remove()
    {
        RdmaContext[] all;
        lock (Wire.Gate)
        {
            if (isRemoved)
            {
                return;
            }

            isRemoved = true;
            all = [.. contexts];
        }

        foreach (RdmaContext context in all)
        {
            context.Dispose();
        }

        _ = Pci.TryUnbind(device.Place); // ENODEV where the function itself is gone, and its driver with it
    }

    /// <inheritdoc/>
    public void Dispose() => Remove();

    /// <inheritdoc/>
    public void Report(ICollection<LedgerEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        foreach (MemoryRegion region in Keys.Collect())
        {
            string holder = $"{Name} mr {region.Key}";
            entries.Add(new LedgerEntry(holder, HoldingKind.Region, $"{region.Contract}, {region.State}", Id, 1));
            region.Backing.Report(holder, entries);
        }

        lock (Wire.Gate)
        {
            foreach (RdmaQueuePair pair in CollectPairs())
            {
                entries.Add(new LedgerEntry($"{Name} qp {pair.Number}", HoldingKind.Handle, "queue pair", Id, 1));
            }
        }
    }

    /// <summary>Name and state.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Name}, {State}";

    internal void Deregister(MemoryRegion region)
    {
        if (region.TryEnd())
        {
            region.Backing.Release();
            Keys.Remove(region);
        }
    }

    internal uint NextQueuePair() => nextQueuePair++;

    internal void Forget(RdmaContext context)
    {
        lock (Wire.Gate)
        {
            _ = contexts.Remove(context);
        }
    }

    private List<RdmaQueuePair> CollectPairs() => [.. contexts.SelectMany(static context => context.QueuePairs)];
}
