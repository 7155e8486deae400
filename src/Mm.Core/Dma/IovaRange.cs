namespace Mm.Core.Dma;

/// <summary>A run of I/O virtual pages taken from an <see cref="IovaAllocator"/>, to be given back to it once.</summary>
/// <param name="Start">The first address; a multiple of the granule.</param>
/// <param name="Pages">How many pages were taken, rounding included; zero in <c>default</c>, which is no run.</param>
/// <param name="Node">Where the allocator keeps it.</param>
internal readonly record struct IovaRange(DmaAddr Start, PageCount Pages, int Node)
{
    public bool IsNone => Pages.IsZero;

    public override string ToString() =>
        IsNone ? "no iova" : $"[{Start}, 0x{(UInt128)Start.Value + Pages.ToBytes().Value:x})";
}
