using Mm.Core;
using Mm.Core.Locking;

namespace Mm.P2pDma.Providers;

/// <summary>A BAR that shows a part of a larger device memory, and which part it shows.</summary>
/// <remarks>
/// Owns the position. The bytes behind the window are the device's: a move changes what the same addresses lead to, so
/// every address list of the provider ends with it, as if the memory had moved.
/// <para><b>Linux:</b> a visible VRAM smaller than VRAM, as amdgpu's real_vram_size and visible_vram_size, with the
/// window register of older devices (v6.12); P2PDMA itself knows nothing of it.</para>
/// <para><b>Invariants:</b> (1) the window lies in the memory; (2) after a move no token taken before it is valid.</para>
/// <para><b>Locking:</b> one lock, rank Leaf.</para>
/// </remarks>
public sealed class MovableWindow
{
    private readonly RankedLock gate = new(LockRank.Leaf);
    private ByteCount position; // protected by gate

    /// <summary>A window at the start of the memory.</summary>
    /// <param name="provider">The provider of the BAR.</param>
    /// <param name="memory">How many bytes the device has; at least those of the BAR.</param>
    /// <exception cref="ArgumentOutOfRangeException">The memory is smaller than the BAR.</exception>
    public MovableWindow(BarProvider provider, ByteCount memory)
    {
        ArgumentNullException.ThrowIfNull(provider);
        if (memory < provider.Aperture.Length)
        {
            throw new ArgumentOutOfRangeException(
                nameof(memory), memory, $"memory must be in [{provider.Aperture.Length}, 2^64)");
        }

        Provider = provider;
        Memory = memory;
    }

    /// <summary>How peers reach what the window shows.</summary>
    public BarProvider Provider { get; }

    /// <summary>How many bytes the device has.</summary>
    public ByteCount Memory { get; }

    /// <summary>Where in the device's memory the window starts.</summary>
    public ByteCount Position
    {
        get
        {
            using (gate.Enter())
            {
                return position;
            }
        }
    }

    /// <summary>Moves the window. Addresses given out before lead elsewhere now; their tokens end.</summary>
    /// <param name="to">Where in the device's memory the window is to start.</param>
    /// <returns>Ok, or <see cref="Errno.EINVAL"/>: the window would end beyond the memory.</returns>
    public Errno TryMove(ByteCount to)
    {
        if (to > Memory.SubtractChecked(Provider.Aperture.Length))
        {
            return Errno.EINVAL;
        }

        bool moved;
        using (gate.Enter())
        {
            moved = position != to;
            position = to;
        }

        if (moved)
        {
            Provider.Invalidate();
        }

        return Errno.Ok;
    }

    /// <summary>The addresses of a part of the device's memory. Take <see cref="BarProvider.Validity"/> before, and it says until when.</summary>
    /// <param name="offset">Where in the device's memory.</param>
    /// <param name="length">How many bytes.</param>
    /// <param name="range">The addresses, or an empty range when refused.</param>
    /// <returns>Ok, or <see cref="Errno.ENXIO"/>: the window does not show all of it.</returns>
    public Errno TryFind(ByteCount offset, ByteCount length, out PhysRange range)
    {
        range = default;
        ByteCount start = Position;
        ByteCount size = Provider.Aperture.Length;
        if (offset < start || offset.Value - start.Value > size.Value || length.Value > size.Value - (offset.Value - start.Value))
        {
            return Errno.ENXIO;
        }

        range = Provider.Aperture.Slice(offset.SubtractChecked(start), length);
        return Errno.Ok;
    }
}
