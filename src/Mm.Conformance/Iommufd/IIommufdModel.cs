using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Conformance.Iommufd;

/// <summary>One program's I/O address spaces, as a recording asks for them. Mm's is <see cref="IommufdModel"/>; tests put wrong ones in its place.</summary>
/// <remarks><b>Locking:</b> the caller's. A space, a domain and an access are there when they are used.</remarks>
internal interface IIommufdModel : IDisposable
{
    Errno TryCreate(int space);

    Errno TryDestroy(int space);

    /// <summary>Maps part of the buffer; where there is room if no address is given.</summary>
    Errno TryMap(int space, DmaAddr? at, ByteCount offset, ByteCount length, IoAccess access, out DmaAddr address);

    Errno TryUnmap(int space, DmaAddr address, ByteCount length, out ByteCount unmapped);

    /// <summary>Maps what another space has mapped.</summary>
    Errno TryCopy(
        int source, int space, DmaAddr from, ByteCount length, DmaAddr? at, IoAccess access, out DmaAddr address);

    ByteCount Alignment(int space);

    IReadOnlyList<IoRange> CollectUsableRanges(int space);

    Errno TryAllow(int space, IoRange[] ranges);

    Errno TryReserve(int space, DmaAddr start, ByteCount length);

    Errno TryAttach(int space);

    Errno TryDetach(int space);

    /// <summary>Which page of the buffer the domain has at an address; -1 for none.</summary>
    int PageAt(int space, DmaAddr address);

    int CountPins(int page);

    Errno TryOpenAccess(int space);

    Errno TryCloseAccess(int space);

    /// <summary>Pins; gives the pages of the buffer, in order. What is no run of the buffer is let go at once.</summary>
    Errno TryPin(int space, int slot, DmaAddr address, ByteCount length, bool isWrite, out int[] pages);

    Errno TryUnpin(int space, int slot);

    Errno TryRead(int space, DmaAddr address, Span<byte> bytes);

    Errno TryWrite(int space, DmaAddr address, ReadOnlySpan<byte> bytes);

    /// <summary>Reads a whole page of the buffer, as the program itself does.</summary>
    void ReadPage(int page, Span<byte> bytes);
}
