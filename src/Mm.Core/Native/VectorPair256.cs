using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Mm.Core.Native;

/// <summary>Eight words in a row, as two vectors: what a loop takes at a step.</summary>
/// <remarks>Fields, so that each half is loaded and stored by itself.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct VectorPair256
{
    /// <summary>How many words.</summary>
    internal const int Count = 8;

    /// <summary>The first four.</summary>
    internal Vector256<ulong> Low;

    /// <summary>The next four.</summary>
    internal Vector256<ulong> High;
}
