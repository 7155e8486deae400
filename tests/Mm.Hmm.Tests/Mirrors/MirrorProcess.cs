using System.Buffers.Binary;
using System.Globalization;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>One process of a program on the real thing: its space, its open devices, its pins; answers as recordings write them.</summary>
internal sealed class MirrorProcess : IDisposable
{
    private const int PageBytes = 4096;

    private readonly Machine machine;

    internal MirrorProcess(Machine machine, IEnumerable<MirrorDevice> devices, AddressSpace space)
    {
        this.machine = machine;
        Space = space;
        Mirrors = [.. devices.Select(device => MirrorRig.Open(device, space))];
    }

    internal AddressSpace Space { get; }

    internal DeviceMirror[] Mirrors { get; }

    internal Dictionary<ulong, PagePin[]> Slots { get; } = [];

    internal PagePin[] PinSet { get; private set; } = [];

    /// <summary>Does a step.</summary>
    /// <param name="step">The step.</param>
    /// <param name="known">Where the process knows its regions to be.</param>
    /// <returns>The outcome.</returns>
    internal string Run(MirrorStep step, ReferenceProcess known)
    {
        ulong start = known.AddressOf(step.Region, step.First);
        var range = new VirtRange(new VirtAddr(start), new PageCount((ulong)step.Count).ToBytes());
        return step.Name switch
        {
            "map" => Map(step, new VirtAddr(ReferenceProcess.HomeOf(step.Region))),
            "move" => Move(step, known.RegionAt(step.Region)),
            "unmap" => Plain(Space.TryUnmap(range.Start, range.Length)),
            "dontneed" => Plain(Space.TryDropPages(range.Start, range.Length)),
            "populate-write" => Plain(Space.TryPopulateWrite(range.Start, range.Length)),
            "protect" => Plain(Space.TryProtect(range.Start, range.Length, step.Access)),
            "cpu-read" => CpuRead(range.Start),
            "cpu-write" => Signal(Space.Write(range.Start, BitConverter.GetBytes(step.Value))),
            "pagemap" => Pagemap(range),
            "pin" => Pin(step.Slot, range),
            "unpin" => Unpin(step.Slot),
            "long-pin" => PinAll(step.Manner, range),
            "long-unpin" => UnpinAll(),
            "long-pin-read" => PinSet.Length == 0 ? "EINVAL" : $"ok {Data(ReadPins(PinSet))}",
            _ => OnDevice(step, Mirrors[step.Device & 1], range),
        };
    }

    /// <summary>What a set of pins sees.</summary>
    internal byte[] ReadPins(PagePin[] pins)
    {
        byte[] bytes = new byte[pins.Length * PageBytes];
        for (int index = 0; index < pins.Length; index++)
        {
            using SpanLease lease = machine.Lease(new PhysRange(pins[index].Page.Address, PageSize.Small.Bytes));
            lease.Bytes.CopyTo(bytes.AsSpan(index * PageBytes));
        }

        return bytes;
    }

    public void Dispose()
    {
        _ = UnpinAll();
        foreach (ulong slot in Slots.Keys.ToArray())
        {
            _ = Unpin(slot);
        }

        Space.Dispose();
        foreach (DeviceMirror mirror in Mirrors)
        {
            mirror.Dispose();
        }
    }

    private static string Plain(Errno errno) => errno.IsOk ? "ok" : errno.ToString();

    private static string Signal(FaultResult result) => result switch
    {
        FaultResult.Done => "ok",
        FaultResult.SegmentationFault => "SIGSEGV",
        _ => "SIGBUS",
    };

    private static string Data(byte[] bytes)
    {
        var cells = new List<ReferenceCell>();
        for (int at = 0; at < bytes.Length; at += PageBytes)
        {
            cells.Add(new ReferenceCell(new ReferenceWords(WordAt(bytes, at), 0, WordAt(bytes, at + PageBytes - 8))));
        }

        return ReferenceRules.Data(cells);
    }

    private static ulong WordAt(byte[] bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));

    private static string Join(IEnumerable<string> items)
    {
        var runs = new List<(string Item, int Count)>();
        foreach (string item in items)
        {
            if (runs.Count != 0 && runs[^1].Item == item)
            {
                runs[^1] = (item, runs[^1].Count + 1);
            }
            else
            {
                runs.Add((item, 1));
            }
        }

        return string.Join(',', runs.Select(run => run.Count == 1 ? run.Item : $"{run.Item}*{run.Count}"));
    }

    private string Map(MirrorStep step, VirtAddr home)
    {
        var pages = new PageCount((ulong)step.Count);
        using MemoryFile? file = step.Kind is AreaKind.FilePrivate or AreaKind.FileShared ? machine.Spaces.CreateFile() : null;
        Errno errno = file?.TryResize(pages.ToBytes()) ?? Errno.Ok;
        byte[] page = new byte[PageBytes];
        for (int index = 0; file is not null && errno.IsOk && index < step.Count; index++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(page, 1000 + (ulong)index);
            BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(PageBytes - 8), 1000 + (ulong)index);
            errno = file.TryWrite(new PageCount((ulong)index).ToBytes(), page, out _);
        }

        var request = new AreaRequest(pages.ToBytes(), new AreaTraits(step.Kind, step.Access) { Backing = file })
        {
            At = home,
            Placement = AreaPlacement.Fixed,
        };
        return Plain(errno.IsOk ? Space.TryMap(request, out _) : errno);
    }

    private string Move(MirrorStep step, ReferenceRegion now)
    {
        ulong home = ReferenceProcess.HomeOf(step.Region);
        ByteCount length = new PageCount((ulong)now.Pages).ToBytes();
        var move = new AreaMove(new VirtAddr(now.Start), length, length)
        {
            MayMove = true,
            To = new VirtAddr(now.Start == home ? ReferenceProcess.AwayOf(step.Region) : home),
        };
        return Plain(Space.TryMove(move, out _));
    }

    private string CpuRead(VirtAddr at)
    {
        byte[] bytes = new byte[PageBytes];
        FaultResult result = Space.Read(at, bytes);
        return result == FaultResult.Done ? $"ok {Data(bytes)}" : Signal(result);
    }

    private string Pagemap(VirtRange range)
    {
        var views = new PageView[MirrorRig.PagesOf(range)];
        Space.CollectPagemap(range.Start, views);
        return "ok map=" + Join(views.Select(
            view => view.IsPresent ? view.IsExclusive ? "P" : "Q" : view.IsElsewhere ? "S" : "."));
    }

    private string Pin(ulong slot, VirtRange range)
    {
        var pins = new PagePin[MirrorRig.PagesOf(range)];
        Errno errno = Space.TryPin(range.Start, PinFlags.Write | PinFlags.LongTerm | PinFlags.Fast, pins, out int count);
        if (errno.IsOk && count == pins.Length)
        {
            _ = Unpin(slot);
            Slots[slot] = pins;
            return "ok";
        }

        Drop(pins.AsSpan(0, count));
        return Plain(errno.IsOk ? Errno.EFAULT : errno);
    }

    private string Unpin(ulong slot)
    {
        if (Slots.Remove(slot, out PagePin[]? pins))
        {
            Drop(pins);
        }

        return "ok";
    }

    private string PinAll(string manner, VirtRange range)
    {
        if (PinSet.Length != 0)
        {
            return "EINVAL";
        }

        PinFlags flags = PinFlags.LongTerm
            | (manner.StartsWith("write", StringComparison.Ordinal) ? PinFlags.Write : PinFlags.None)
            | (manner.EndsWith("fast", StringComparison.Ordinal) ? PinFlags.Fast : PinFlags.None);
        var pins = new PagePin[MirrorRig.PagesOf(range)];
        for (int done = 0; done < pins.Length;)
        {
            VirtAddr at = MirrorRig.Part(range, done).Start;
            Errno errno = Space.TryPin(at, flags, pins.AsSpan(done), out int count);
            if (!errno.IsOk)
            {
                Drop(pins.AsSpan(0, done));
                return errno.ToString();
            }

            done += count;
        }

        PinSet = pins;
        return "ok";
    }

    private string UnpinAll()
    {
        Drop(PinSet);
        PinSet = [];
        return "ok";
    }

    private static void Drop(Span<PagePin> pins)
    {
        foreach (PagePin pin in pins)
        {
            pin.Dispose();
        }
    }

    private static string OnDevice(MirrorStep step, DeviceMirror mirror, VirtRange range)
    {
        byte[] bytes = new byte[(int)range.Length.Value];
        for (int at = 0; at < bytes.Length; at += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), step.Value + (ulong)(at / PageBytes));
        }

        MirrorTransfer done = default;
        PageCount pages = default;
        Errno errno;
        switch (step.Name)
        {
            case "device-read":
                errno = mirror.TryRead(range, bytes, out done);
                return errno.IsOk ? Text($"ok cpages={done.Pages.Value} faults={done.Faults} {Data(bytes)}") : errno.ToString();
            case "device-write":
                errno = mirror.TryWrite(range, bytes, out done);
                return errno.IsOk ? Text($"ok cpages={done.Pages.Value} faults={done.Faults}") : errno.ToString();
            case "migrate-to-system":
                errno = mirror.TryMigrateToSystem(range, out pages);
                return errno.IsOk ? Text($"ok cpages={pages.Value}") : errno.ToString();
            case "check-exclusive":
                return Plain(mirror.CheckExclusive(range));
            case "snapshot":
                return Snapshot(mirror, range);
            default:
                errno = step.Name == "make-exclusive" ? mirror.TryMakeExclusive(range) : mirror.TryMigrateToDevice(range, out _);
                errno = errno.IsOk ? mirror.TryReadMapped(range, bytes, out pages) : errno;
                return errno.IsOk ? Text($"ok cpages={pages.Value} {Data(bytes)}") : errno.ToString();
        }
    }

    private static string Snapshot(DeviceMirror mirror, VirtRange range)
    {
        var pages = new MirrorPage[MirrorRig.PagesOf(range)];
        Errno errno = mirror.TrySnapshot(range, pages);
        return errno.IsOk
            ? Text($"ok cpages={pages.Length} perm={Join(pages.Select(page => ByteOf(page).ToString("x2", CultureInfo.InvariantCulture)))}")
            : errno.ToString();
    }

    private static int ByteOf(MirrorPage page)
    {
        int kind = page.Place switch
        {
            MirrorPlace.ZeroPage => 0x10,
            MirrorPlace.PrivateHere => 0x20,
            MirrorPlace.PrivateElsewhere => 0x30,
            MirrorPlace.CoherentHere => 0x40,
            MirrorPlace.CoherentElsewhere => 0x50,
            _ => 0,
        };
        return page.Word.IsValid ? kind | (page.Word.IsWritable ? 2 : 1) : page.Word.IsError ? 0xff : 0;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
