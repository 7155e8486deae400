using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Devices.Tests.Iommufd;

internal sealed class UserBufferTests
{
    private const ulong Page = IommufdRig.Page;
    private static readonly VirtAddr Start = new(0x7000_0000);

    private Machine machine = null!;

    [SetUp]
    public void SetUp() => machine = Machine.CreateBuilder()
        .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x20_0000), ByteCount.FromMiB(8)))
        .Build();

    [TearDown]
    public void TearDown()
    {
        machine.Validate();
        machine.Dispose();
    }

    [Test]
    public void Buffer_OfPages_KeepsTheContract()
    {
        using var buffer = new UserBuffer(machine, Start, new PageCount(4));

        UserPagesContract.Require(buffer, Start, Start.AddChecked(new ByteCount(4 * Page)));
    }

    [Test]
    public void Pin_AcrossTheEnd_TakesWhatIsThere()
    {
        using var buffer = new UserBuffer(machine, Start, new PageCount(4));
        var pins = new UserPin[4];

        Errno errno = buffer.TryPin(Start.AddChecked(new ByteCount(2 * Page)), isWritable: true, pins, out int pinned);

        Assert.That((errno, pinned), Is.EqualTo((Errno.Ok, 2)));
        Assert.That((buffer.CountPins(1), buffer.CountPins(2), buffer.CountPins(3)), Is.EqualTo((0, 1, 1)));
        Array.ForEach(pins, pin => pin.Dispose());
        Assert.That(buffer.CountPins(2), Is.Zero);
    }

    [Test]
    public void Pin_OfAPinnedPage_OutlivesTheBuffer()
    {
        var buffer = new UserBuffer(machine, Start, new PageCount(1));
        var pins = new UserPin[1];
        buffer.TryWrite(Start, [7]).ThrowIfError();
        buffer.TryPin(Start, isWritable: true, pins, out _).ThrowIfError();
        buffer.Dispose();

        Assert.That(machine.Frames.Describe(pins[0].Page).MaybePinned, Is.True);
        Assert.That(buffer.TryPin(Start, isWritable: true, new UserPin[1], out _), Is.EqualTo(Errno.EFAULT));
        pins[0].Dispose();
    }

    [Test]
    public void Write_WithoutMemory_IsRefused()
    {
        using var buffer = new UserBuffer(machine, Start, new PageCount(1));
        machine.Faults.FailNth(FaultPoint.PageAlloc, 1);

        Assert.That(buffer.TryWrite(Start, [1]), Is.EqualTo(Errno.ENOMEM));
        Assert.That(buffer.TryWrite(Start, [1]), Is.EqualTo(Errno.Ok));
        machine.Faults.Clear();
    }

    [Test]
    public void Write_ThatPassesTheEnd_WritesWhatIsThere()
    {
        using var buffer = new UserBuffer(machine, Start, new PageCount(1));
        Span<byte> read = stackalloc byte[2];

        Assert.That(buffer.TryWrite(Start.AddChecked(new ByteCount(Page - 2)), [1, 2, 3]), Is.EqualTo(Errno.EFAULT));
        buffer.TryRead(Start.AddChecked(new ByteCount(Page - 2)), read).ThrowIfError();
        Assert.That((read[0], read[1]), Is.EqualTo(((byte)1, (byte)2)));
    }

    [TestCase(1UL, 0x7000_0001UL, 0)]
    [TestCase(0UL, 0x7000_0000UL, 0)]
    [TestCase((1UL << 20) + 1, 0x7000_0000UL, 0)]
    [TestCase(3UL, 0x7000_0000UL, 1)]
    [TestCase(1024UL, 0x7000_0000UL, 10)]
    [TestCase(2UL, 0xffff_ffff_ffff_f000UL, 0)]
    public void Buffer_OfIllegalSize_Throws(ulong pages, ulong start, int order) => Assert.That(
        () => new UserBuffer(machine, new VirtAddr(start), new PageCount(pages), order),
        Throws.InstanceOf<ArgumentOutOfRangeException>());

    /// <summary>Whatever is mapped for reading and unmapped again: the zero page has as many references as before.</summary>
    [FsCheck.NUnit.Property(MaxTest = 50)]
    public bool ZeroPage_PinnedAndUnpinned_KeepsItsCount(byte[] lengths) => CountZeroPage(lengths, countsPins: false) == 1;

    /// <summary>The fault of 873aefb376bb, put back: pins of the zero page are counted and never dropped.</summary>
    [Test]
    public void ZeroPage_CountedAndNeverUncounted_IsCaught() => Assert.That(CountZeroPage([3, 2], countsPins: true), Is.EqualTo(1 + (7 * 1024)));

    private static uint CountZeroPage(byte[] lengths, bool countsPins)
    {
        using var rig = new IommufdRig(domains: 1);
        var buffer = new UserBuffer(rig.Machine, Start, new PageCount(256)) { CountsZeroPagePins = countsPins };
        Span<byte> read = stackalloc byte[1];
        foreach (byte length in lengths)
        {
            var bytes = new ByteCount((length + 1UL) * Page);
            rig.Space.TryMap(buffer, Start, bytes, IoAccess.Read, out DmaAddr at).ThrowIfError();
            rig.Domain.TryRead(at, read).ThrowIfError();
            Assert.That((read[0], rig.Domain.TryWrite(at, read)), Is.EqualTo(((byte)0, Errno.EFAULT)));
            rig.Space.TryUnmap(at, bytes, out _).ThrowIfError();
        }

        uint references = lengths.Length == 0 ? 1 : buffer.ZeroPageReferences;
        rig.Context.Dispose();
        buffer.Dispose();
        return references;
    }
}
