using Mm.Core;

namespace Mm.P2pDma.Topologies;

/// <summary>One base address register of a function: where its window is, and how large, as far as known.</summary>
/// <remarks>
/// <para><b>Linux:</b> pci_resource_start, _len and _flags; pci_bus_address (v6.12).</para>
/// <para><c>default</c> is BAR 0 of which nothing is known. Immutable.</para>
/// </remarks>
public readonly record struct PciBar
{
    /// <summary>The index of the expansion ROM.</summary>
    public const int RomIndex = 6;

    private readonly byte index;

    /// <summary>Describes a BAR.</summary>
    /// <param name="index">0 to 5, or <see cref="RomIndex"/>.</param>
    /// <param name="address">The CPU's address of the window; <see langword="null"/> where unknown or unassigned.</param>
    /// <param name="size">The length of the window; <see langword="null"/> where unknown.</param>
    /// <param name="flags">What kind of window it is.</param>
    /// <exception cref="ArgumentOutOfRangeException">The index is out of its range, or the window passes the top of the address space.</exception>
    public PciBar(int index, PhysAddr? address, ByteCount? size, PciBarFlags flags)
    {
        if (index is < 0 or > RomIndex)
        {
            throw new ArgumentOutOfRangeException(nameof(index), index, $"BAR index {index} is not in [0, {RomIndex}]");
        }

        if (address is { } start && size is { } length && !PhysRange.TryCreate(start, length, out _))
        {
            throw new ArgumentOutOfRangeException(
                nameof(size), size, $"BAR {index} at {start} of {length} passes the top of the address space");
        }

        this.index = (byte)index;
        Address = address;
        Size = size;
        Flags = flags;
    }

    /// <summary>0 to 5, or <see cref="RomIndex"/>.</summary>
    public int Index => index;

    /// <summary>The CPU's address of the window; <see langword="null"/> where unknown or unassigned.</summary>
    public PhysAddr? Address { get; }

    /// <summary>The length of the window; <see langword="null"/> where unknown.</summary>
    public ByteCount? Size { get; }

    /// <summary>What kind of window it is.</summary>
    public PciBarFlags Flags { get; }

    /// <summary>
    /// The address in the BAR itself, which peers use; <see langword="null"/> where the source does not tell it apart
    /// from <see cref="Address"/>. Some hosts translate, and the difference is the provider's bus offset.
    /// </summary>
    public DmaAddr? BusAddress { get; init; }

    /// <summary>Whether it is a memory window.</summary>
    public bool IsMemory => (Flags & PciBarFlags.Memory) != PciBarFlags.None;

    /// <summary>The window as a range, when both address and size are known.</summary>
    /// <param name="range">The range, or an empty one.</param>
    /// <returns>Whether both are known.</returns>
    public bool TryGetRange(out PhysRange range)
    {
        range = default;
        return Address is { } start && Size is { } length && PhysRange.TryCreate(start, length, out range);
    }

    /// <summary>The BAR as <c>BAR 2 [0x.., 0x..) memory, 64-bit</c>; unknown parts as <c>?</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        TryGetRange(out PhysRange range)
            ? $"BAR {Index} {range} {Flags}"
            : $"BAR {Index} at {Address?.ToString() ?? "?"} size {Size?.ToString() ?? "?"} {Flags}";
}
