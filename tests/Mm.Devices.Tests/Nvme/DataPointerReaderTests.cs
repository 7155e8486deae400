using System.Buffers.Binary;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Core.Native;
using Mm.Devices.Nvme;

namespace Mm.Devices.Tests.Nvme;

/// <summary>What the driver writes the controller reads; what no driver should write is refused for the right reason.</summary>
internal sealed class DataPointerReaderTests
{
    private const ulong Page = 4096;

    private static IEnumerable<(ulong Start, ulong Length)[]> PageLists =>
    [
        [(0x1_0000_0000, 1)],
        [(0x1_0000_0ffc, 4)],
        [(0x1_0000_0004, Page)],
        [(0x1_0000_0000, 3 * Page)],
        [(0x1_0000_0800, 3 * Page)],
        [(0x1_0000_0800, 0x800), (0x2_0000_0000, Page), (0x5_0000_0000, 100)],
        [(0x1_0000_0000, 513 * Page)],
        [(0x1_0000_0000, 514 * Page)],
        [(0x1_0000_0000, 1025 * Page), (0x3_0000_0000, 600 * Page + 12)],
    ];

    [TestCaseSource(nameof(PageLists))]
    public void Pages_OfAnySegments_AreReadAsTheyWere((ulong Start, ulong Length)[] runs)
    {
        using var rig = new NvmeRig();
        DmaSegment[] segments = Segments(runs);
        var pages = new List<NvmeQueueMemory>();
        Assert.That(DataPointers.AreWholePages(segments), Is.True);
        DataPointers.TryWritePages(segments, Take(rig, pages), out DmaAddr first, out ulong second).ThrowIfError();

        AssertReads(rig, Command(first, second, isSgl: false), segments);
        ulong whole = runs.Aggregate(0UL, static (sum, run) => sum + (((run.Start % Page) + run.Length + Page - 1) / Page));
        ulong lists = whole <= 2 ? 0 : ((whole - 1 - 2) / 511) + 1;
        Assert.That((ulong)pages.Count, Is.EqualTo(lists), "511 entries lead on from each full list");
        pages.ForEach(static page => page.Dispose());
    }

    [TestCase(1, 0)]
    [TestCase(2, 1)]
    [TestCase(256, 1)]
    [TestCase(257, 2)]
    [TestCase(512, 3)]
    public void Descriptors_OfManySegments_AreChained(int count, int lists)
    {
        using var rig = new NvmeRig();
        DmaSegment[] segments = Segments([.. Enumerable.Range(0, count).Select(index => (0x1_0000_0001 + ((ulong)index * 5000), 700UL))]);
        var pages = new List<NvmeQueueMemory>();
        DataPointers.TryWriteDescriptors(segments, Take(rig, pages), out DmaAddr first, out ulong second).ThrowIfError();

        AssertReads(rig, Command(first, second, isSgl: true), segments);
        Assert.That(pages, Has.Count.EqualTo(lists));
        pages.ForEach(static page => page.Dispose());
    }

    private static IEnumerable<TestCaseData> HostilePages =>
    [
        Hostile("odd start", 0x1_0000_0002, 0, 512, NvmeStatus.PrpInvalidOffset),
        Hostile("second page with an offset", 0x1_0000_0000, 0x1_0000_1004, 8192, NvmeStatus.PrpInvalidOffset),
        Hostile("odd list", 0x1_0000_0000, 0x1_0000_1004, 3 * Page, NvmeStatus.PrpInvalidOffset),
        Hostile("list out of reach", 0x1_0000_0000, 0x7777_0000_0000, 3 * Page, NvmeStatus.DataTransferError),
    ];

    [TestCaseSource(nameof(HostilePages))]
    public void Pages_ThatBreakTheRules_AreRefused(ulong first, ulong second, ulong length, NvmeStatus expected)
    {
        using var rig = new NvmeRig();
        var reader = new DataPointerReader(rig.Drive.View.Port, 64);

        Assert.That(reader.Read(Command(new DmaAddr(first), second, isSgl: false), length), Is.EqualTo(expected));
    }

    [Test]
    public void List_WithAnEntryThatStartsNoPage_IsRefused()
    {
        using var rig = new NvmeRig();
        NvmeQueueMemory list = OnePage(rig, (0, 0x1_0000_2000), (8, 0x1_0000_3004));

        Assert.That(
            new DataPointerReader(rig.Drive.View.Port, 64).Read(Command(new DmaAddr(0x1_0000_0000), list.Address.Value, isSgl: false), 3 * Page),
            Is.EqualTo(NvmeStatus.PrpInvalidOffset));
        list.Dispose();
    }

    [Test]
    public void Lists_InACircle_AreRefusedInTheEnd()
    {
        using var rig = new NvmeRig();
        NvmeQueueMemory list = OnePage(rig);
        ulong lastEntry = list.Address.Value + Page - 8;
        using (SpanLease lease = list.Lease(Page - 8, 8))
        {
            BinaryPrimitives.WriteUInt64LittleEndian(lease.Bytes, lastEntry);
        }

        Assert.That(
            new DataPointerReader(rig.Drive.View.Port, 64).Read(Command(new DmaAddr(0x1_0000_0000), lastEntry, isSgl: false), 4 * Page),
            Is.EqualTo(NvmeStatus.InvalidField));
        list.Dispose();
    }

    private static IEnumerable<TestCaseData> HostileDescriptors =>
    [
        Chain("too short", SglType.LastSegment, 16, NvmeStatus.SglInvalidLength, (SglType.DataBlock, 100)),
        Chain("a link inside the last segment", SglType.LastSegment, 16, NvmeStatus.SglInvalidSegment, (SglType.Segment, 16)),
        Chain("a link in the middle", SglType.Segment, 32, NvmeStatus.SglInvalidSegment, (SglType.Segment, 16), (SglType.DataBlock, 512)),
        Chain("a segment that leads nowhere", SglType.Segment, 16, NvmeStatus.SglInvalidSegment, (SglType.DataBlock, 512)),
        Chain("half a descriptor", SglType.LastSegment, 24, NvmeStatus.SglInvalidSegment, (SglType.DataBlock, 512)),
        Chain("an empty segment", SglType.LastSegment, 0, NvmeStatus.SglInvalidSegment),
        Chain("an unknown type", SglType.LastSegment, 16, NvmeStatus.SglInvalidType, ((SglType)5, 512)),
        Chain("too many", SglType.LastSegment, 16 * 70, NvmeStatus.SglInvalidCount),
        Chain("a bucket", SglType.LastSegment, 32, NvmeStatus.Success, (SglType.BitBucket, 500), (SglType.DataBlock, 12)),
    ];

    [TestCaseSource(nameof(HostileDescriptors))]
    public void Descriptors_ThatBreakTheRules_AreRefused(
        SglType link, ulong length, (SglType Type, ulong Length)[] entries, NvmeStatus expected)
    {
        using var rig = new NvmeRig();
        NvmeQueueMemory list = OnePage(rig, [.. entries.SelectMany((entry, index) => ((ulong, ulong)[])
            [((ulong)index * 16, 0x1_0000_0000), (((ulong)index * 16) + 8, SglDescriptor.Words(entry.Type, entry.Length))])]);
        var reader = new DataPointerReader(rig.Drive.View.Port, 64);

        Assert.That(reader.Read(Command(list.Address, SglDescriptor.Words(link, length), isSgl: true), 512), Is.EqualTo(expected));
        list.Dispose();
    }

    [Test]
    public void Descriptor_InTheCommandOfAnUnknownType_IsRefused()
    {
        using var rig = new NvmeRig();
        var reader = new DataPointerReader(rig.Drive.View.Port, 64);

        Assert.That(
            reader.Read(Command(default, SglDescriptor.Words((SglType)4, 512), isSgl: true), 512), Is.EqualTo(NvmeStatus.SglInvalidType));
        Assert.That(
            reader.Read(Command(new DmaAddr(0x7777_0000_0000), SglDescriptor.Words(SglType.LastSegment, 16), isSgl: true), 512),
            Is.EqualTo(NvmeStatus.DataTransferError));
    }

    private static TestCaseData Hostile(string name, ulong first, ulong second, ulong length, NvmeStatus expected) =>
        new TestCaseData(first, second, length, expected).SetArgDisplayNames(name);

    private static TestCaseData Chain(
        string name, SglType link, ulong length, NvmeStatus expected, params (SglType Type, ulong Length)[] entries) =>
        new TestCaseData(link, length, entries, expected).SetArgDisplayNames(name);

    private static DmaSegment[] Segments((ulong Start, ulong Length)[] runs) =>
        [.. runs.Select(static run => new DmaSegment(new DmaAddr(run.Start), new ByteCount(run.Length), IsBusAddress: false))];

    private static NvmeCommand Command(DmaAddr first, ulong second, bool isSgl) =>
        new(NvmeOpcode.Read, 0, 1, isSgl, first, second, 0, 1);

    private static DataPointers.TakePage Take(NvmeRig rig, List<NvmeQueueMemory> pages) => (out NvmeQueueMemory? page) =>
    {
        Errno errno = NvmeQueueMemory.TryTakeRam(rig.Pci, rig.Drive.View, order: 0, out page);
        pages.Add(page!);
        return errno;
    };

    private static NvmeQueueMemory OnePage(NvmeRig rig, params (ulong Offset, ulong Word)[] words)
    {
        NvmeQueueMemory.TryTakeRam(rig.Pci, rig.Drive.View, order: 0, out NvmeQueueMemory? page).ThrowIfError();
        foreach ((ulong offset, ulong word) in words)
        {
            using SpanLease lease = page!.Lease(offset, 8);
            BinaryPrimitives.WriteUInt64LittleEndian(lease.Bytes, word);
        }

        return page!;
    }

    // The same bytes in the same order, however either is cut.
    private static void AssertReads(NvmeRig rig, NvmeCommand command, DmaSegment[] segments)
    {
        var reader = new DataPointerReader(rig.Drive.View.Port, 4096);
        ulong length = segments.Aggregate(0UL, static (sum, segment) => sum + segment.Length.Value);
        Assert.That(reader.Read(command, length), Is.EqualTo(NvmeStatus.Success));
        IEnumerable<(ulong, ulong)> merged = Merge(segments.Select(static each => (each.Address.Value, each.Length.Value)));
        Assert.That(reader.Runs.Select(static run => (run.Address.Value, run.Length.Value)), Is.EqualTo(merged));
    }

    private static List<(ulong Start, ulong Length)> Merge(IEnumerable<(ulong Start, ulong Length)> runs)
    {
        var merged = new List<(ulong Start, ulong Length)>();
        foreach ((ulong start, ulong length) in runs)
        {
            if (merged.Count > 0 && merged[^1].Start + merged[^1].Length == start)
            {
                merged[^1] = (merged[^1].Start, merged[^1].Length + length);
            }
            else
            {
                merged.Add((start, length));
            }
        }

        return merged;
    }
}
