using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <summary>Pages under a range of I/O addresses, pinned for software.</summary>
/// <remarks>
/// Owns one use of the pages; that several have them pinned costs one pin.
/// <para><b>Linux:</b> what iommufd_access_pin_pages gives and iommufd_access_unpin_pages takes back (v6.12).</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class AccessPin : IDisposable
{
    private readonly SpaceAccess access;
    private readonly IoAddressSpace space;
    private readonly Pfn[] frames;
    private int isDisposed; // atomic

    internal AccessPin(SpaceAccess access, IoAddressSpace space, IoRange range, Pfn[] frames)
    {
        this.access = access;
        this.space = space;
        this.frames = frames;
        Range = range;
    }

    /// <summary>The I/O addresses.</summary>
    public IoRange Range { get; }

    /// <summary>The frames, one a page, in order.</summary>
    public ReadOnlySpan<Pfn> Frames => frames;

    /// <summary>Lets the pages go. Twice does nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 0)
        {
            access.Unpin(space, Range);
        }
    }
}
