namespace Mm.DmaBuf.Fences;

/// <summary>A timeline's number: fences of one context signal in the order of their sequence numbers.</summary>
/// <remarks>
/// <para><b>Linux:</b> dma_fence::context (v6.12).</para>
/// <c>default</c> is the context of stubs, which nothing else has. Immutable.
/// </remarks>
/// <param name="Value">The number; contexts made later have higher ones.</param>
public readonly record struct FenceContext(ulong Value)
{
    /// <summary>The number in decimal.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Value}";
}
