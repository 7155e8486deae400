namespace Mm.Core.Frames;

/// <summary>What a lease remembers of its page: which, and in which life.</summary>
/// <remarks>
/// <code>
/// 63   61 60   56 55          40 39                          0
/// | zero |  order |  generation  |        frame number        |
/// </code>
/// A lease that is put after its page was freed finds another generation and is refused instead of stealing somebody
/// else's reference. What it cannot see: a copied lease put twice while others keep the page alive.
/// <para>Immutable. <c>default</c> is frame 0 in its first life.</para>
/// </remarks>
/// <param name="Bits">The raw word.</param>
internal readonly record struct PageToken(ulong Bits)
{
    internal const int FrameWidth = 40;
    internal const int GenerationWidth = 16;
    internal const int OrderShift = FrameWidth + GenerationWidth;

    private const ulong FrameMask = (1UL << FrameWidth) - 1;

    internal PageToken(ulong frame, ushort generation, int order = 0)
        : this(frame | ((ulong)generation << FrameWidth) | ((ulong)(uint)order << OrderShift))
    {
    }

    /// <summary>The frame's number; below 2^40, the end of physical address space.</summary>
    internal ulong Frame => Bits & FrameMask;

    /// <summary>How often its block was freed before, modulo 2^16.</summary>
    internal ushort Generation => (ushort)((Bits >> FrameWidth) & ushort.MaxValue);

    /// <summary>The order of a raw block.</summary>
    internal int Order => (int)(Bits >> OrderShift);
}
