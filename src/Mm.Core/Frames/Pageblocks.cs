using System.Runtime.CompilerServices;
using Mm.Core.Native;

namespace Mm.Core.Frames;

/// <summary>The migrate type of every pageblock: 512 frames, one byte each, touched where it is not the usual one.</summary>
/// <remarks>
/// Stored so that zero is <see cref="MigrateType.Movable"/>, which every block starts as.
/// <para><b>Linux:</b> pageblock_flags, get_pageblock_migratetype (v6.12), with pageblock_order 9.</para>
/// <para><b>Locking:</b> changed under the lock of the block's zone; read without it as a hint, as Linux does when it
/// chooses a per-cpu list.</para>
/// </remarks>
/// <param name="memory">How to reserve memory.</param>
/// <param name="frames">How many frames are covered.</param>
internal sealed class Pageblocks(MachineMemory memory, ulong frames) : IDisposable
{
    /// <summary>The order of a pageblock: 2 MiB.</summary>
    internal const int Order = 9;

    /// <summary>How many frames a pageblock has.</summary>
    internal const ulong Frames = 1UL << Order;

    private readonly NativeTable<byte> types = memory.ReserveTable<byte>((frames + Frames - 1) >> Order);

    /// <summary>The type of the pageblock that a frame is in.</summary>
    /// <param name="frame">The frame's number.</param>
    /// <returns>The type.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal MigrateType TypeOf(ulong frame) => (MigrateType)(types[frame >> Order] ^ (byte)MigrateType.Movable);

    /// <summary>Sets the type of all pageblocks of a block.</summary>
    /// <param name="frame">A frame of the first one.</param>
    /// <param name="order">The order of the block; below a pageblock's it means the one that the frame is in.</param>
    /// <param name="type">The type.</param>
    internal void Set(ulong frame, int order, MigrateType type)
    {
        ulong first = frame >> Order;
        ulong count = order > Order ? 1UL << (order - Order) : 1;
        for (ulong block = first; block < first + count; block++)
        {
            types[block] = (byte)((byte)type ^ (byte)MigrateType.Movable);
        }
    }

    /// <summary>Gives the table back.</summary>
    public void Dispose() => types.Dispose();
}
