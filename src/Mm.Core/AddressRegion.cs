using Mm.Core.Native;
using Mm.Core.PhysRanges;

namespace Mm.Core;

/// <summary>One piece of a machine's physical address map: RAM on a node, a reserved hole, a device's window.</summary>
/// <remarks>
/// Owns the bytes behind it, which are reserved when they are first asked for. Not responsible for frames (the page
/// allocator and page maps have those) or for routes between devices.
/// <para><b>Linux:</b> struct resource below iomem_resource (v6.12), flat: a bridge's window around its devices' is a
/// matter of the topology, not of this map.</para>
/// <para><b>Invariants:</b> (1) <see cref="Range"/> is not empty and lies below 2^52; (2) RAM, reserved and private
/// regions are aligned to 4 KiB, windows to nothing; (3) only RAM and windows ever have bytes.</para>
/// <para><b>Locking:</b> immutable but for the bytes, which one thread reserves and the others see; safe from any thread.</para>
/// </remarks>
public sealed class AddressRegion
{
    private readonly ValiditySource validity = new();
    private readonly Lock gate = new();
    private NativeRegion? bytes; // set once under gate; read with acquire
    private bool isRemoved; // protected by gate

    internal AddressRegion(AddressRegionKind kind, PhysRange range, NodeId node, string name)
    {
        Kind = kind;
        Range = range;
        Node = node;
        Name = name;
        Owner = kind switch
        {
            AddressRegionKind.Ram => RangeOwner.Ram,
            AddressRegionKind.DeviceWindow => RangeOwner.ForDeviceWindow(name),
            _ => null, // a hole is nobody's, and private memory is its page map's
        };
    }

    /// <summary>What it is.</summary>
    public AddressRegionKind Kind { get; }

    /// <summary>Its addresses.</summary>
    public PhysRange Range { get; }

    /// <summary>The node it is near to; <see cref="NodeId.None"/> when nobody knows.</summary>
    public NodeId Node { get; }

    /// <summary>What /proc/iomem would call it.</summary>
    public string Name { get; }

    /// <summary>Whether a CPU can read and write there.</summary>
    public bool IsAddressable => Kind is AddressRegionKind.Ram or AddressRegionKind.DeviceWindow;

    /// <summary>Dies when the region is removed from the map.</summary>
    public ValidityToken Validity => validity.Token;

    /// <summary>Who owns its bytes as far as the address map can tell; null where no list of ranges may name them.</summary>
    internal RangeOwner? Owner { get; }

    /// <summary>As a line of /proc/iomem, half-open: <c>[0x0, 0x1000) System RAM, node 0</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Node.IsKnown ? $"{Range} {Name}, {Node}" : $"{Range} {Name}";

    /// <summary>The bytes behind the region, reserved now if nobody asked before.</summary>
    /// <param name="memory">How to reserve them.</param>
    /// <returns>The bytes; null when the region has none, or was removed.</returns>
    internal NativeRegion? Bytes(MachineMemory memory)
    {
        if (Volatile.Read(ref bytes) is { } there)
        {
            return there;
        }

        if (!IsAddressable)
        {
            return null;
        }

        lock (gate)
        {
            if (!isRemoved && bytes is null)
            {
                Volatile.Write(ref bytes, memory.Reserve(Range.Length));
            }

            return bytes;
        }
    }

    /// <summary>Ends the region: its token dies, and its bytes go with their last lease.</summary>
    internal void Remove()
    {
        lock (gate)
        {
            isRemoved = true;
        }

        validity.Invalidate();
        bytes?.Dispose();
    }
}
