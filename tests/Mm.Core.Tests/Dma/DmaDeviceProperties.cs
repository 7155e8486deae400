using Mm.Core.Dma;
using Mm.Core.PhysRanges;

namespace Mm.Core.Tests.Dma;

public sealed class DmaDeviceProperties
{
    private static readonly PhysRange[] Places = [DmaRig.LowRam, DmaRig.HighRam, DmaRig.NearWindow, DmaRig.FarWindow];

    // L1 and invariant 1: byte i of the segments is byte i of the list, however the list is split.
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public bool Segments_AnyList_NameItsBytesInOrder((uint At, ushort Length)[] parts, byte limitBits, bool translated)
    {
        using var rig = new DmaRig();
        DmaLimits limits = LimitsFrom(limitBits);
        DmaDevice device = translated ? rig.Translated(limits) : rig.Direct(limits);
        PhysRangeList list = rig.List([.. parts.Select(RangeFrom)]);
        string before = rig.Picture(device);
        Errno errno = device.TryMap(list, DmaDirection.Bidirectional, out DmaMapping? mapping);
        if (!errno.IsOk)
        {
            return parts.Length == 0 && errno == Errno.EINVAL && rig.Picture(device) == before;
        }

        bool agrees = mapping!.Length == list.Length && KeepsLimits(mapping, limits) && NamesBytesOf(mapping, rig, list);
        rig.Machine.Validate();
        mapping.Dispose();
        return agrees && rig.Picture(device) == before;
    }

    [FsCheck.NUnit.Property(MaxTest = 100)]
    public bool Mappings_UnmappedInAnyOrder_LeaveNothing((uint At, ushort Length)[] parts, int order)
    {
        using var rig = new DmaRig();
        DmaDevice device = rig.Translated();
        string before = rig.Picture(device);
        var live = new List<DmaMapping>();
        foreach ((uint At, ushort Length) part in parts)
        {
            device.TryMap(rig.List(RangeFrom(part)), DmaDirection.ToDevice, out DmaMapping? mapping).ThrowIfError();
            live.Add(mapping!);
        }

        foreach (DmaMapping mapping in live.OrderBy(m => unchecked(m.Window.Start.Value * (ulong)order)))
        {
            mapping.Dispose();
        }

        return rig.Picture(device) == before;
    }

    private static PhysRange RangeFrom((uint At, ushort Length) part)
    {
        PhysRange place = Places[part.At & 3];
        ulong offset = (part.At >> 2) % (place.Length.Value - ushort.MaxValue - 1);
        return new PhysRange(place.Start.AddChecked(new ByteCount(offset)), new ByteCount(part.Length + 1UL));
    }

    private static DmaLimits LimitsFrom(byte bits) =>
        new(new ByteCount(0x1000UL * ((bits & 15UL) + 1)), new ByteCount(0x1000UL << (bits >> 4)));

    private static bool KeepsLimits(DmaMapping mapping, DmaLimits limits)
    {
        ulong mask = limits.Boundary.Value - 1;
        foreach (DmaSegment segment in mapping.Segments)
        {
            if (segment.Length > limits.MaxSegmentSize || (segment.Address.Value & mask) + segment.Length.Value > mask + 1)
            {
                return false;
            }
        }

        return true;
    }

    private static bool NamesBytesOf(DmaMapping mapping, DmaRig rig, PhysRangeList list)
    {
        ulong at = 0;
        foreach (DmaSegment segment in mapping.Segments)
        {
            for (ulong i = 0; i < segment.Length.Value; i += Math.Clamp(segment.Length.Value - i - 1, 1, 509))
            {
                bool has = list.TryFindByte(new ByteCount(at + i), out PhysAddr expected, out _);
                if (!has || Where(mapping.Device, rig, segment, segment.Address.AddChecked(new ByteCount(i))) != expected)
                {
                    return false;
                }
            }

            at += segment.Length.Value;
        }

        return true;
    }

    private static PhysAddr Where(DmaDevice device, DmaRig rig, DmaSegment segment, DmaAddr address)
    {
        if (segment.IsBusAddress)
        {
            return new PhysAddr(address.Value); // only the near window is reached so, and its offset is 0
        }

        return device.Domain is null ? new PhysAddr(address.Value)
            : rig.Domain.TryTranslate(address, out PhysAddr target, out _) ? target : default;
    }
}
