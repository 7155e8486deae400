using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Mm.Core.Checks;
using Mm.Core.Locking;

namespace Mm.Core.Dma;

/// <summary>The devices of one machine that do DMA.</summary>
/// <remarks>
/// Owns their mappings' books and the diagnostics. Not responsible for what the devices are: topologies say that.
/// <para><b>Linux:</b> no single symbol; what dma_configure sets up for each struct device (v6.12).</para>
/// <para><b>Invariants:</b> (1) one <see cref="DmaDevice"/> for each attached <see cref="DeviceId"/>.</para>
/// <para><b>Locking:</b> a lock of its own, rank DmaDomain; safe from any thread.</para>
/// </remarks>
[SuppressMessage("Naming", "CA1710:Identifiers should have correct suffix", Justification = "A registry, not a collection.")]
public sealed class DmaDevices : IValidator
{
    private const ulong CacheLineMask = 63;

    private readonly RankedLock gate = new(LockRank.DmaDomain);
    private readonly Dictionary<DeviceId, DmaDevice> devices = []; // protected by gate
    private readonly List<IommuDomain> domains = []; // protected by gate

    internal DmaDevices(FaultInjector faults, PhysLeaser leaser)
    {
        Faults = faults;
        Leaser = leaser;
    }

    /// <summary>What drivers did wrong with their mappings.</summary>
    public DmaDiagnostics Diagnostics { get; } = new();

    /// <summary>What devices reach RAM through that their masks do not reach; null: there is none, and they cannot.</summary>
    public BounceBuffers? Bounce { get; private set; }

    internal FaultInjector Faults { get; }

    internal PhysLeaser Leaser { get; }

    /// <summary>RAM that live mappings let devices write, while diagnostics are on.</summary>
    internal IntervalLedger Ram { get; } = new();

    /// <summary>Makes an I/O address space of 48-bit addresses, for one device or several.</summary>
    /// <param name="name">What reports call it.</param>
    /// <returns>The domain, empty.</returns>
    public IommuDomain CreateDomain(string name) => CreateDomain(name, DmaAddr.Zero, IommuDomain.HighestAddress);

    /// <summary>Makes an I/O address space of some addresses.</summary>
    /// <param name="name">What reports call it.</param>
    /// <param name="first">The lowest address to hand out; rounded up to a page, and never 0.</param>
    /// <param name="last">The highest address to hand out, below 2^48.</param>
    /// <returns>The domain, empty.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="last"/> is below <paramref name="first"/> or not below 2^48.</exception>
    public IommuDomain CreateDomain(string name, DmaAddr first, DmaAddr last)
    {
        var domain = new IommuDomain(name, first, last, Faults);
        using (gate.Enter())
        {
            domains.Add(domain);
        }

        return domain;
    }

    /// <summary>Gives a device its DMA view.</summary>
    /// <param name="device">The device.</param>
    /// <param name="mask">How far its addresses reach.</param>
    /// <param name="limits">What its segments may look like.</param>
    /// <param name="domain">Who translates for it; null for nobody.</param>
    /// <returns>The view.</returns>
    /// <exception cref="ArgumentException"><paramref name="device"/> is no device, or is attached already.</exception>
    public DmaDevice Attach(DeviceId device, DmaMask mask, DmaLimits limits = default, IommuDomain? domain = null)
    {
        if (!device.IsKnown)
        {
            throw new ArgumentException("device must be a device of the machine; it is none", nameof(device));
        }

        var view = new DmaDevice(this, device, mask, limits, domain);
        using (gate.Enter())
        {
            return devices.TryAdd(device, view)
                ? view
                : throw new ArgumentException($"{device} is attached already; detach it first", nameof(device));
        }
    }

    /// <summary>Finds a device's view.</summary>
    /// <param name="device">The device.</param>
    /// <param name="view">Its view, or null.</param>
    /// <returns>Whether it is attached.</returns>
    public bool TryFind(DeviceId device, [NotNullWhen(true)] out DmaDevice? view)
    {
        using (gate.Enter())
        {
            return devices.TryGetValue(device, out view);
        }
    }

    /// <summary>Takes a device's view away: its mappings are not valid any more, and it maps nothing more.</summary>
    /// <param name="device">The device.</param>
    /// <returns>Ok, or <see cref="Errno.ENODEV"/>: it is not attached.</returns>
    public Errno TryDetach(DeviceId device)
    {
        DmaDevice? view;
        using (gate.Enter())
        {
            if (!devices.Remove(device, out view))
            {
                return Errno.ENODEV;
            }
        }

        view.Detach();
        return Errno.Ok;
    }

    /// <summary>Gives devices bounce buffers, once, while the machine is built.</summary>
    /// <param name="buffers">The buffers.</param>
    internal void AddBounceBuffers(BounceBuffers buffers) => Bounce = buffers;

    /// <summary>Recounts every domain, and the books of every device and of the RAM that is written.</summary>
    /// <exception cref="MmBugException">An invariant is broken.</exception>
    public void Validate()
    {
        IommuDomain[] all;
        DmaDevice[] attached;
        using (gate.Enter())
        {
            all = [.. domains];
            attached = [.. devices.Values];
        }

        foreach (IommuDomain domain in all)
        {
            domain.Validate();
        }

        foreach (DmaDevice device in attached)
        {
            device.Books.Validate();
        }

        Ram.Validate();
    }

    /// <summary>Books the RAM that a mapping lets its device write, and reports cache lines that another has already.</summary>
    internal IntervalLedger.Block[] EnterRam(DmaMapping mapping, ReadOnlySpan<DmaPiece> pieces)
    {
        var runs = new List<LedgerRun>(Math.Min(pieces.Length, IntervalLedger.BlockRuns));
        foreach (ref readonly DmaPiece piece in pieces)
        {
            if (piece.IsPeer)
            {
                continue; // never cached, so no line of it can be overwritten by a neighbour's write-back
            }

            ulong first = piece.Start.Value & ~CacheLineMask;
            ulong length = ((piece.Start.Value + (piece.Bytes - 1)) | CacheLineMask) - first + 1;
            LedgerRun.Append(runs, new LedgerRun(first, length, new PhysAddr(first)));
        }

        foreach (LedgerRun run in runs)
        {
            if (Ram.TryFind(run.Start, run.Length, IoAccess.None, out _, out DmaMapping? other))
            {
                Diagnostics.Report(
                    DmaDiagnosticKind.OverlappingMappings,
                    mapping.Device.Id,
                    $"[0x{run.Start:x}, 0x{run.Start + run.Length:x}) is mapped for writing by {other!.Device.Id} too");
            }
        }

        return Ram.Add(CollectionsMarshal.AsSpan(runs), mapping);
    }
}
