using Mm.Conformance.Iommufd;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Conformance.Tests.Iommufd;

/// <summary>Mm's model, right by default, wrong by one knob at a time.</summary>
internal sealed class WrongIommufdModel : IIommufdModel
{
    private readonly IommufdModel right = new();
    private readonly Dictionary<int, int> extraPins = [];
    private readonly Dictionary<int, List<IoRange>> allowed = [];

    public bool ChoosesFirstPage { get; init; }

    public bool IgnoresAllowed { get; init; }

    public bool AllowedBindsGiven { get; init; }

    public bool AllowsReserved { get; init; }

    public bool IgnoresReserved { get; init; }

    public bool ReservesMapped { get; init; }

    public bool UnmapsWhatWasAsked { get; init; }

    public bool FindsNothingIsFine { get; init; }

    public bool CopiesWithoutPermission { get; init; }

    public bool CopiesFromNowhere { get; init; }

    public bool PinsEveryTime { get; init; }

    public bool PinsNothing { get; init; }

    public bool KeepsAlignment { get; init; }

    public bool HasNoAperture { get; init; }

    public bool DestroysBusy { get; init; }

    public bool ReadsZeros { get; init; }

    public bool WritesNothing { get; init; }

    public bool IgnoresPermission { get; init; }

    public bool TranslatesNextPage { get; init; }

    public bool PinsOtherPages { get; init; }

    public Errno TryCreate(int space)
    {
        allowed[space] = [];
        return right.TryCreate(space);
    }

    public Errno TryDestroy(int space)
    {
        Errno errno = right.TryDestroy(space);
        return DestroysBusy && !errno.IsOk ? Errno.EINVAL : errno;
    }

    public Errno TryMap(
        int space, DmaAddr? at, ByteCount offset, ByteCount length, IoAccess access, out DmaAddr address)
    {
        address = default;
        if (AllowedBindsGiven && at is { } given && allowed[space].Count > 0 && !allowed[space].Exists(range => range.Contains(given)))
        {
            return Errno.ENOSPC;
        }

        for (ulong page = 0x1000; ChoosesFirstPage && at is null && page < 0x200_0000; page += 0x1000)
        {
            if (right.TryMap(space, new DmaAddr(page), offset, length, access, out address).IsOk)
            {
                return Errno.Ok;
            }
        }

        return right.TryMap(space, at, offset, length, access, out address);
    }

    public Errno TryUnmap(int space, DmaAddr address, ByteCount length, out ByteCount unmapped)
    {
        Errno errno = right.TryUnmap(space, address, length, out unmapped);
        unmapped = UnmapsWhatWasAsked ? length : unmapped;
        return FindsNothingIsFine && errno == Errno.ENOENT ? Errno.Ok : errno;
    }

    public Errno TryCopy(
        int source, int space, DmaAddr from, ByteCount length, DmaAddr? at, IoAccess access, out DmaAddr address)
    {
        Errno errno = right.TryCopy(source, space, from, length, at, access, out address);
        if (errno == Errno.EPERM && CopiesWithoutPermission)
        {
            return right.TryCopy(source, space, from, length, at, IoAccess.Read, out address);
        }

        return errno == Errno.ENOENT && CopiesFromNowhere ? Errno.Ok : errno;
    }

    public ByteCount Alignment(int space) => KeepsAlignment ? new ByteCount(1) : right.Alignment(space);

    public IReadOnlyList<IoRange> CollectUsableRanges(int space) =>
        HasNoAperture ? [IoRange.All] : right.CollectUsableRanges(space);

    public Errno TryAllow(int space, IoRange[] ranges)
    {
        Errno errno = right.TryAllow(space, ranges);
        if (errno.IsOk)
        {
            allowed[space] = [.. ranges];
        }

        if (IgnoresAllowed && errno.IsOk)
        {
            return right.TryAllow(space, []);
        }

        return AllowsReserved && errno == Errno.EADDRINUSE ? Errno.Ok : errno;
    }

    public Errno TryReserve(int space, DmaAddr start, ByteCount length)
    {
        if (IgnoresReserved)
        {
            return Errno.Ok;
        }

        Errno errno = right.TryReserve(space, start, length);
        return ReservesMapped && errno == Errno.EADDRINUSE ? Errno.Ok : errno;
    }

    public Errno TryAttach(int space) => right.TryAttach(space);

    public Errno TryDetach(int space) => right.TryDetach(space);

    public int PageAt(int space, DmaAddr address) => right.PageAt(space, address) + (TranslatesNextPage ? 1 : 0);

    public int CountPins(int page) =>
        PinsNothing ? 0 : right.CountPins(page) + (PinsEveryTime ? extraPins.GetValueOrDefault(page) : 0);

    public Errno TryOpenAccess(int space) => right.TryOpenAccess(space);

    public Errno TryCloseAccess(int space) => right.TryCloseAccess(space);

    public Errno TryPin(int space, int slot, DmaAddr address, ByteCount length, bool isWrite, out int[] pages)
    {
        Errno errno = right.TryPin(space, slot, address, length, isWrite, out pages);
        if (IgnoresPermission && errno == Errno.EPERM)
        {
            errno = right.TryPin(space, slot, address, length, isWrite: !isWrite, out pages);
        }

        foreach (int page in pages)
        {
            extraPins[page] = extraPins.GetValueOrDefault(page) + (right.CountPins(page) > 0 ? 1 : 0);
        }

        pages = PinsOtherPages ? [.. pages.Select(page => page ^ 1)] : pages;
        return errno;
    }

    public Errno TryUnpin(int space, int slot) => right.TryUnpin(space, slot);

    public Errno TryRead(int space, DmaAddr address, Span<byte> bytes)
    {
        Errno errno = right.TryRead(space, address, bytes);
        if (ReadsZeros)
        {
            bytes.Clear();
        }

        return errno;
    }

    public Errno TryWrite(int space, DmaAddr address, ReadOnlySpan<byte> bytes)
    {
        if (!WritesNothing)
        {
            return right.TryWrite(space, address, bytes);
        }

        return right.TryRead(space, address, new byte[bytes.Length]);
    }

    public void ReadPage(int page, Span<byte> bytes) => right.ReadPage(page, bytes);

    public void Dispose() => right.Dispose();
}
