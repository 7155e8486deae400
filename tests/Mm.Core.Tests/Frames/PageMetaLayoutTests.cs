using System.Reflection;
using System.Runtime.InteropServices;
using Mm.Core.Frames;

namespace Mm.Core.Tests.Frames;

public sealed class PageMetaLayoutTests
{
    private static readonly object[][] Fields =
    [
        [nameof(PageMeta.Count), 0, 8],
        [nameof(PageMeta.Flags), 8, 8],
        [nameof(PageMeta.Next), 16, 8],
        [nameof(PageMeta.Previous), 24, 8],
        [nameof(PageMeta.Mapping), 32, 8],
        [nameof(PageMeta.Index), 40, 8],
        [nameof(PageMeta.Private), 48, 8],
        [nameof(PageMeta.MapCount), 56, 4],
        [nameof(PageMeta.Generation), 60, 2],
    ];

    [Test]
    public void PageMeta_IsOneCacheLine()
    {
        Assert.That(Marshal.SizeOf<PageMeta>(), Is.EqualTo(64));
    }

    [TestCaseSource(nameof(Fields))]
    public void Field_StandsAtItsOffset(string field, int offset, int size)
    {
        FieldInfo info = typeof(PageMeta).GetField(field, BindingFlags.Instance | BindingFlags.NonPublic)!;
        Assert.That(info.GetCustomAttribute<FieldOffsetAttribute>()!.Value, Is.EqualTo(offset));
        Assert.That(Marshal.SizeOf(info.FieldType), Is.EqualTo(size));
    }

    [Test]
    public void Fields_DoNotOverlapAndLeaveTwoBytes()
    {
        FieldInfo[] fields = typeof(PageMeta).GetFields(BindingFlags.Instance | BindingFlags.NonPublic);
        Assert.That(fields, Has.Length.EqualTo(Fields.Length));
        int end = 0;
        foreach (object[] field in Fields)
        {
            Assert.That((int)field[1], Is.EqualTo(end));
            end += (int)field[2];
        }

        Assert.That(end, Is.EqualTo(62));
    }

    [Test]
    public void CountWord_FieldsFillTheWord()
    {
        Assert.That(PageCountWord.PinShift, Is.EqualTo(32), "references");
        Assert.That(PageCountWord.OrderShift, Is.EqualTo(PageCountWord.PinShift + PageCountWord.PinWidth));
        Assert.That(PageCountWord.CompoundShift, Is.EqualTo(PageCountWord.OrderShift + PageCountWord.OrderWidth));
        Assert.That(PageCountWord.StateShift, Is.EqualTo(PageCountWord.CompoundShift + 1));
        Assert.That((int)PageState.DeviceIdle, Is.LessThan(1 << (64 - PageCountWord.StateShift)));
    }

    [Test]
    public void CountWord_WidthsHoldTheirBounds()
    {
        Assert.That(PageCountWord.MaxReferences, Is.LessThan(1L << PageCountWord.PinShift));
        Assert.That(PageCountWord.MaxPins, Is.EqualTo((1L << PageCountWord.PinWidth) - 1));
        Assert.That(FrameTable.MaxFolioOrder, Is.LessThanOrEqualTo(PageCountWord.MaxOrder));
        Assert.That(PageCountWord.MaxOrder, Is.EqualTo((1 << PageCountWord.OrderWidth) - 1));
    }

    [Test]
    public void FlagsWord_HoldsEveryNodeZoneAndPagemap()
    {
        Assert.That(PageFlagsWord.NodeShift + PageFlagsWord.NodeWidth, Is.EqualTo(64));
        Assert.That(PageFlagsWord.ZoneShift + PageFlagsWord.ZoneWidth, Is.EqualTo(PageFlagsWord.NodeShift));
        Assert.That(PageFlagsWord.PagemapShift + PageFlagsWord.PagemapWidth, Is.LessThanOrEqualTo(PageFlagsWord.ZoneShift));
        Assert.That(NodeId.MaxIndex, Is.EqualTo((1 << PageFlagsWord.NodeWidth) - 1));
        var word = PageFlagsWord.OfDevice(new NodeId(NodeId.MaxIndex), ushort.MaxValue);
        Assert.That(word.Node.Index, Is.EqualTo(NodeId.MaxIndex));
        Assert.That(word.Zone, Is.EqualTo(ZoneKind.Device));
        Assert.That(word.Pagemap, Is.EqualTo(ushort.MaxValue));
        Assert.That(word.Flags, Is.EqualTo(PageFlags.None));
        PageFlagsWord set = word.With(PageFlags.Dirty | PageFlags.HasTailState);
        Assert.That(set.Flags, Is.EqualTo(PageFlags.Dirty | PageFlags.HasTailState));
        Assert.That(set.With(PageFlags.None, PageFlags.Dirty).Flags, Is.EqualTo(PageFlags.HasTailState));
        Assert.That(set.ZoneKey, Is.EqualTo(word.ZoneKey));
    }

    [Test]
    public void Token_HoldsTheLastFrameLifeAndOrder()
    {
        var token = new PageToken((1UL << 40) - 1, ushort.MaxValue, FrameZone.MaxOrder);
        Assert.That(token.Frame, Is.EqualTo(Pfn.MaxValue.Value >> 12));
        Assert.That(token.Generation, Is.EqualTo(ushort.MaxValue));
        Assert.That(token.Order, Is.EqualTo(FrameZone.MaxOrder));
        Assert.That(PageToken.OrderShift, Is.EqualTo(PageToken.FrameWidth + PageToken.GenerationWidth));
    }
}
