using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Native;

namespace Mm.Core;

/// <summary>The bytes behind a machine's RAM, for its page allocator.</summary>
/// <remarks>Owns nothing. <b>Locking:</b> as <see cref="AddressRegion"/>.</remarks>
/// <param name="map">Where RAM is.</param>
/// <param name="memory">How its bytes are reserved.</param>
internal sealed class FrameBytes(AddressMap map, MachineMemory memory) : IFrameBytes
{
    /// <inheritdoc/>
    public void Fill(PfnRange frames, byte value)
    {
        PhysRange range = frames.ToPhysRange();
        NativeRegion? bytes = map.TryFind(range.Start, out AddressRegion? region) ? region.Bytes(memory) : null;
        if (region is null || bytes is null)
        {
            return; // the machine is being disposed: nobody can read the page any more
        }

        bool isLeased = bytes.TryLease(range.Start.OffsetFrom(region.Range.Start), range.Length, out SpanLease lease);
        Check.That(isLeased, "a page of RAM lies in one region");
        lease.Bytes.Fill(value);
        lease.Dispose();
    }
}
