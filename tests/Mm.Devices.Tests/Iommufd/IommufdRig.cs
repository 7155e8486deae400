using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>A machine, a filled buffer of 1 MiB, and a context with one space: what the kernel's iommufd tests begin with.</summary>
internal sealed class IommufdRig : IDisposable
{
    public const ulong Page = 4096;
    public const ulong IoPage = 2048;
    public const ulong ApertureStart = 0x100_0000;
    public const ulong BufferBytes = 1 << 20;

    public IommufdRig(
        int domains = 0,
        PinAccount? account = null,
        Func<Machine, IommufdContext>? open = null,
        ulong ramMiB = 16,
        IoDomainOptions? options = null)
    {
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x20_0000), ByteCount.FromMiB(ramMiB)))
            .Build();
        Buffer = CreateBuffer(0x10_0000_0000, BufferBytes / Page);
        Context = open?.Invoke(Machine) ?? new IommufdContext(Machine, account);
        Space = CreateSpace();
        for (int i = 0; i < domains; i++)
        {
            Space.TryAddDomain(options ?? new IoDomainOptions(), out _).ThrowIfError();
        }
    }

    public Machine Machine { get; }

    public UserBuffer Buffer { get; }

    public IommufdContext Context { get; }

    public IoAddressSpace Space { get; }

    public IoDomain Domain => Space.Domains[0];

    public UserBuffer CreateBuffer(ulong start, ulong pages, int order = 0)
    {
        var buffer = new UserBuffer(Machine, new VirtAddr(start), new PageCount(pages), order);
        Span<byte> bytes = stackalloc byte[(int)Page];
        for (ulong page = 0; page < pages; page++)
        {
            bytes.Fill((byte)((page + 1) % 256));
            buffer.TryWrite(new VirtAddr(start + (page * Page)), bytes).ThrowIfError();
        }

        return buffer;
    }

    public IoAddressSpace CreateSpace()
    {
        Context.TryCreateSpace(out IoAddressSpace? space).ThrowIfError();
        return space!;
    }

    public VirtAddr User(ulong offset) => Buffer.Range.Start.AddWrapping(new ByteCount(offset));

    public Errno TryMapAt(ulong address, ulong offset, ulong length, IoAccess access = IoAccess.ReadWrite) =>
        Space.TryMapAt(new DmaAddr(address), Buffer, User(offset), new ByteCount(length), access);

    public void MapAt(ulong address, ulong offset, ulong length, IoAccess access = IoAccess.ReadWrite) =>
        TryMapAt(address, offset, length, access).ThrowIfError();

    public Errno TryMap(ulong offset, ulong length, out ulong address)
    {
        Errno errno = Space.TryMap(Buffer, User(offset), new ByteCount(length), IoAccess.ReadWrite, out DmaAddr at);
        address = at.Value;
        return errno;
    }

    public ulong Map(ulong offset, ulong length)
    {
        TryMap(offset, length, out ulong address).ThrowIfError();
        return address;
    }

    public Errno TryUnmap(ulong address, ulong length, out ulong unmapped)
    {
        Errno errno = Space.TryUnmap(new DmaAddr(address), new ByteCount(length), out ByteCount bytes);
        unmapped = bytes.Value;
        return errno;
    }

    public void Unmap(ulong address, ulong length)
    {
        TryUnmap(address, length, out ulong unmapped).ThrowIfError();
        Assert.That(unmapped, Is.EqualTo(length));
    }

    /// <summary>The domain leads to the buffer, I/O page by I/O page.</summary>
    public void CheckMap(IoDomain domain, ulong address, ulong offset, ulong length, UserBuffer? buffer = null)
    {
        for (ulong done = 0; done < length; done += IoPage)
        {
            bool isThere = (buffer ?? Buffer).TryFindFrame((int)((offset + done) / Page), out Pfn frame);
            bool isMapped = domain.TryTranslate(new DmaAddr(address + done), out PhysAddr target);
            PhysAddr expected = frame.Address.AddChecked(new ByteCount((offset + done) % Page));
            bool fits = isThere && isMapped && target == expected;
            if (!fits)
            {
                Assert.Fail($"0x{address + done:x} leads to {target}, must to {expected}");
            }
        }
    }

    /// <summary>Pages of the buffer are pinned so often.</summary>
    public void CheckPins(ulong firstPage, ulong pages, int pins, UserBuffer? buffer = null)
    {
        for (ulong page = firstPage; page < firstPage + pages; page++)
        {
            int found = (buffer ?? Buffer).CountPins((int)page);
            if (found != pins)
            {
                Assert.Fail($"page {page} is pinned {found} times, must be {pins}");
            }
        }
    }

    public SpaceAccess OpenAccess(PinKeeper? keeper = null, IoAddressSpace? space = null)
    {
        (space ?? Space).TryOpenAccess(keeper, out SpaceAccess? access).ThrowIfError();
        return access!;
    }

    public void Dispose()
    {
        Context.Validate();
        Context.Dispose();
        CheckPins(0, Buffer.Range.Length.Value / Page, 0);
        Assert.That(Context.LiveMapCount, Is.Zero);
        Buffer.Dispose();
        Machine.Validate();
        Machine.Dispose();
    }
}
