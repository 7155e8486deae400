using Mm.Core;

namespace Mm.Devices.Rdma;

/// <summary>A right of a NIC, and of peers where it says so, to a range of memory: named by a key.</summary>
/// <remarks>
/// Owns the memory's backing until it is deregistered, and its key until then, too: a key of a region whose memory was taken
/// away is nobody else's.
/// <para><b>Linux:</b> struct ib_mr, ib_reg_user_mr, ib_dereg_mr (v6.12).</para>
/// <para><b>States:</b> valid → revoked; either → deregistered.</para>
/// <para><b>Invariants:</b> (1) its key is its own until it is deregistered; (2) revoked or deregistered, no byte of it is moved.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class MemoryRegion : IDisposable
{
    private int state; // atomic: RegionState, which only grows

    internal MemoryRegion(ProtectionDomain domain, RegionContract contract, RegionAccess access, VirtRange range, RegionBacking backing)
    {
        Domain = domain;
        Contract = contract;
        Access = access;
        Range = range;
        Backing = backing;
        backing.WhenTakenAway(() => Advance(RegionState.Revoked));
    }

    /// <summary>Whose work requests may name it.</summary>
    public ProtectionDomain Domain { get; }

    /// <summary>By what right it reaches its memory.</summary>
    public RegionContract Contract { get; }

    /// <summary>What it allows.</summary>
    public RegionAccess Access { get; }

    /// <summary>The addresses by which work requests name its bytes.</summary>
    public VirtRange Range { get; }

    /// <summary>Its key.</summary>
    public RegionKey Key { get; internal set; }

    /// <summary>Whether it is used, revoked, or over.</summary>
    public RegionState State => (RegionState)Volatile.Read(ref state);

    /// <summary>How often the NIC's table of it was loaded: once, and once for each time that its memory had moved; for pages on
    /// demand, once a page.</summary>
    public long TableLoads => Backing.TableLoads;

    internal RegionBacking Backing { get; }

    /// <summary>Deregisters it: its memory is let go, and its key is free. Also after a revocation; twice does nothing.</summary>
    public void Dispose() => Domain.Context.Nic.Deregister(this);

    /// <summary>Key, contract, range and state.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"region {Key}, {Contract}, {Range.Start} {Range.Length}, {State}";

    /// <summary>Moves bytes, if the region is valid and has them.</summary>
    internal Errno TryAccess(VirtAddr address, Span<byte> bytes, bool isWrite) => State == RegionState.Valid
        ? Backing.TryAccess(address.OffsetFrom(Range.Start), bytes, isWrite)
        : Errno.EINVAL;

    /// <summary>Whether the bytes are the region's and the right is there.</summary>
    internal bool Allows(VirtAddr address, ByteCount length, RegionAccess right) =>
        (Access & right) == right && VirtRange.TryCreate(address, length, out VirtRange wanted) && Range.Contains(wanted);

    /// <summary>Takes its memory away from the device; its key stays.</summary>
    internal void Revoke()
    {
        if (Advance(RegionState.Revoked))
        {
            Backing.Revoke();
        }
    }

    /// <summary>Ends it, once.</summary>
    /// <returns>Whether this call did.</returns>
    internal bool TryEnd() => Advance(RegionState.Deregistered);

    private bool Advance(RegionState to)
    {
        int seen = Volatile.Read(ref state);
        while (seen < (int)to)
        {
            int before = Interlocked.CompareExchange(ref state, (int)to, seen);
            if (before == seen)
            {
                return true;
            }

            seen = before;
        }

        return false;
    }
}
