using System.Runtime.InteropServices;

namespace Mm.Core.Dma;

/// <summary>One packed entry of an <see cref="IoPageTable"/>: nothing, a lower table, or a leaf of 4 KiB or 2 MiB.</summary>
/// <remarks>
/// <code>
///  63        52 51                              12 11      8   7    6    2  1  0
/// |   (zero)   | frame number, or lower table's no.|  (zero) |leaf| (zero)| W| R|
/// </code>
/// <b>Linux:</b> struct dma_pte of the Intel driver (v6.12), whose bits 0, 1 and 7 mean the same; there a lower
/// table is named by its physical address, and a 4 KiB leaf needs no leaf bit.
/// <para><b>Invariants:</b> (1) an entry with neither R nor W is all zero; (2) a table entry has R, W and no leaf bit.</para>
/// <para><c>default</c> is the empty entry. Immutable; every operation is pure.</para>
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly record struct IoPte
{
    private const ulong AccessMask = 3;
    private const ulong LeafBit = 1UL << 7;
    private const ulong NumberMask = ((1UL << 40) - 1) << NumberShift;
    private const int NumberShift = 12;

    private readonly ulong bits;

    private IoPte(ulong bits) => this.bits = bits;

    public bool IsPresent => (bits & AccessMask) != 0;

    public bool IsLeaf => (bits & LeafBit) != 0;

    public IoAccess Access => (IoAccess)(bits & AccessMask);

    public PhysAddr Address => new(bits & NumberMask);

    public int TableIndex => (int)(bits >> NumberShift);

    public static IoPte Leaf(PhysAddr address, IoAccess access)
    {
        Checks.Check.That((address.Value & ~NumberMask) == 0, $"leaf address {address} must be a page below 2^52");
        Checks.Check.That(access is > IoAccess.None and <= IoAccess.ReadWrite, $"leaf access {access}: invariant 1");
        return new IoPte(address.Value | LeafBit | (ulong)access);
    }

    public static IoPte Table(int index) => new(((ulong)index << NumberShift) | AccessMask);
}
