using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Conformance.Iommufd;

/// <summary>Mm's I/O address spaces over a buffer of 64 filled pages.</summary>
/// <remarks>
/// Owns a machine with the buffer and one context. Owners of accesses do what the kernel's test access does: they drop
/// every pin that a range touches.
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class IommufdModel : IIommufdModel
{
    /// <summary>How many spaces a program has at most.</summary>
    public const int MaxSpaces = 3;

    /// <summary>How many pages the buffer has.</summary>
    public const int BufferPages = 64;

    private const int PageBytes = 4096;

    private readonly Machine machine;
    private readonly UserBuffer buffer;
    private readonly IommufdContext context;
    private readonly Slot[] slots = [.. Enumerable.Range(0, MaxSpaces).Select(_ => new Slot())];
    private readonly Dictionary<Pfn, int> pagesByFrame = [];

    public IommufdModel()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x100000), ByteCount.FromMiB(2)))
            .Build();

        // Aligned by more than any mapping is long, as the recorder's buffer is: the choice of addresses goes by it.
        buffer = new UserBuffer(machine, new VirtAddr(0x2000_0000), new PageCount(BufferPages));
        context = new IommufdContext(machine);
        Span<byte> bytes = stackalloc byte[PageBytes];
        for (int page = 0; page < BufferPages; page++)
        {
            bytes.Fill((byte)(page + 1));
            buffer.TryWrite(AddressOf(page), bytes).ThrowIfError();
            bool isThere = buffer.TryFindFrame(page, out Pfn frame);
            Check.That(isThere, "a page that was written has a frame");
            pagesByFrame[frame] = page;
        }
    }

    public Errno TryCreate(int space)
    {
        Errno errno = context.TryCreateSpace(out IoAddressSpace? made);
        slots[space].Space = made;
        return errno;
    }

    public Errno TryDestroy(int space)
    {
        Errno errno = Space(space).TryDestroy();
        slots[space].Space = errno.IsOk ? null : slots[space].Space;
        return errno;
    }

    public Errno TryMap(
        int space, DmaAddr? at, ByteCount offset, ByteCount length, IoAccess access, out DmaAddr address)
    {
        VirtAddr start = buffer.Range.Start.AddWrapping(offset);
        address = at ?? default;
        return at is { } given
            ? Space(space).TryMapAt(given, buffer, start, length, access)
            : Space(space).TryMap(buffer, start, length, access, out address);
    }

    public Errno TryUnmap(int space, DmaAddr address, ByteCount length, out ByteCount unmapped) =>
        Space(space).TryUnmap(address, length, out unmapped);

    public Errno TryCopy(
        int source, int space, DmaAddr from, ByteCount length, DmaAddr? at, IoAccess access, out DmaAddr address)
    {
        address = at ?? default;
        return at is { } given
            ? Space(space).TryCopyAt(given, Space(source), from, length, access)
            : Space(space).TryCopy(Space(source), from, length, access, out address);
    }

    public ByteCount Alignment(int space) => Space(space).Alignment;

    public IReadOnlyList<IoRange> CollectUsableRanges(int space) => Space(space).CollectUsableRanges();

    public Errno TryAllow(int space, IoRange[] ranges) => Space(space).TryAllow(ranges);

    public Errno TryReserve(int space, DmaAddr start, ByteCount length)
    {
        Errno errno = IoRange.TryCreate(start, length, out IoRange range);
        return errno.IsOk ? Space(space).TryReserve(range) : errno;
    }

    public Errno TryAttach(int space)
    {
        Errno errno = Space(space).TryAddDomain(new IoDomainOptions(), out IoDomain? domain);
        slots[space].Domain = domain;
        return errno;
    }

    public Errno TryDetach(int space)
    {
        Space(space).RemoveDomain(slots[space].Domain!);
        slots[space].Domain = null;
        return Errno.Ok;
    }

    public int PageAt(int space, DmaAddr address) =>
        slots[space].Domain!.TryTranslate(address, out PhysAddr target)
            && target.IsAligned(PageSize.Small)
            && pagesByFrame.TryGetValue(target.Pfn, out int page)
                ? page
                : -1;

    public int CountPins(int page) => buffer.CountPins(page);

    public Errno TryOpenAccess(int space)
    {
        var owner = new PinOwner();
        Errno errno = Space(space).TryOpenAccess(owner, out SpaceAccess? access);
        (slots[space].Access, slots[space].Owner) = (access, owner);
        return errno;
    }

    public Errno TryCloseAccess(int space)
    {
        slots[space].Access!.Dispose();
        slots[space].Access = null;
        return Errno.Ok;
    }

    public Errno TryPin(int space, int slot, DmaAddr address, ByteCount length, bool isWrite, out int[] pages)
    {
        pages = [];
        Errno errno = slots[space].Access!.TryPin(address, length, isWrite, out AccessPin? pin);
        if (!errno.IsOk)
        {
            return errno;
        }

        pages = [.. pin!.Frames.ToArray().Select(frame => pagesByFrame[frame])];
        if (!IsRun(pages))
        {
            pin.Dispose(); // the kernel's test access lets go at once of pages that are not those it was told to expect
            return Errno.Ok;
        }

        slots[space].Owner!.Add(slot, pin);
        return Errno.Ok;
    }

    /// <summary>Whether pages of the buffer follow one another.</summary>
    public static bool IsRun(int[] pages) => pages.Zip(pages.Skip(1)).All(pair => pair.Second == pair.First + 1);

    public Errno TryUnpin(int space, int slot) =>
        slots[space].Owner!.TryRelease(slot) ? Errno.Ok : Errno.ENOENT;

    public Errno TryRead(int space, DmaAddr address, Span<byte> bytes) => slots[space].Access!.TryRead(address, bytes);

    public Errno TryWrite(int space, DmaAddr address, ReadOnlySpan<byte> bytes) =>
        slots[space].Access!.TryWrite(address, bytes);

    public void ReadPage(int page, Span<byte> bytes) => buffer.TryRead(AddressOf(page), bytes).ThrowIfError();

    public void Dispose()
    {
        context.Validate();
        context.Dispose();
        for (int page = 0; page < BufferPages; page++)
        {
            Check.That(buffer.CountPins(page) == 0, $"page {page} stays pinned after everything is closed");
        }

        Check.That(context.LiveMapCount == 0, "pages live on without a space");
        buffer.Dispose();
        machine.Validate();
        machine.Dispose();
    }

    private VirtAddr AddressOf(int page) => buffer.Range.Start.AddChecked(new PageCount((ulong)page).ToBytes());

    private IoAddressSpace Space(int space) => slots[space].Space!;

    private sealed class Slot
    {
        public IoAddressSpace? Space { get; set; }

        public IoDomain? Domain { get; set; }

        public SpaceAccess? Access { get; set; }

        public PinOwner? Owner { get; set; }
    }

    // A slot that is used again forgets its pin, which stays until its mapping or the access goes.
    private sealed class PinOwner : ISpaceAccessOwner
    {
        private readonly List<(int Slot, AccessPin Pin)> pins = [];

        public void Add(int slot, AccessPin pin)
        {
            for (int i = 0; i < pins.Count; i++)
            {
                pins[i] = pins[i].Slot == slot ? (-1, pins[i].Pin) : pins[i];
            }

            pins.Add((slot, pin));
        }

        public bool TryRelease(int slot)
        {
            int at = pins.FindIndex(pin => pin.Slot == slot);
            if (at < 0)
            {
                return false;
            }

            pins[at].Pin.Dispose();
            pins.RemoveAt(at);
            return true;
        }

        public void OnUnmap(IoRange range)
        {
            foreach ((int _, AccessPin pin) in pins.FindAll(pin => pin.Pin.Range.Overlaps(range)))
            {
                pin.Dispose();
            }

            _ = pins.RemoveAll(pin => pin.Pin.Range.Overlaps(range));
        }
    }
}
