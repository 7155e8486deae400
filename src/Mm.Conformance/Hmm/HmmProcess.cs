using System.Buffers.Binary;
using System.Globalization;
using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Conformance.Hmm;

/// <summary>One process of a program: its memory, its open devices, and where it knows the regions to be.</summary>
internal sealed class HmmProcess : IDisposable
{
    private const int PageBytes = 4096;

    private readonly HmmProgram program;
    private readonly HmmPins pins;
    private readonly DeviceMirror[] mirrors;

    internal HmmProcess(HmmProgram program, AddressSpace space, HmmRegions regions, HmmPins pins)
    {
        this.program = program;
        this.pins = pins;
        Space = space;
        Regions = regions;
        mirrors = [.. program.Devices.Select(Open)];
    }

    internal AddressSpace Space { get; }

    internal HmmRegions Regions { get; }

    /// <summary>Does one operation.</summary>
    /// <param name="operation">Which.</param>
    /// <param name="words">Its arguments.</param>
    /// <returns>Its outcome.</returns>
    internal string Run(string operation, RecordingWords words)
    {
        switch (operation)
        {
            case "map" or "unmap" or "protect" or "dontneed" or "populate-write" or "move":
                return new HmmMappings(Space, Regions, program.Machine).Run(operation, words);
            case "cpu-write":
                return CpuWrite(words);
            case "cpu-read":
                return CpuRead(words);
            case "pagemap":
                return Pagemap(words);
            case "pin" or "unpin":
                return PinSlot(operation, words);
            case "long-pin" or "long-unpin" or "long-pin-read":
                return PinSet(operation, words);
            default:
                return RunOnDevice(operation, words);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // As a process ends: memory first, files afterwards; closing a device evicts it.
        pins.Dispose();
        Space.Dispose();
        foreach (DeviceMirror mirror in mirrors)
        {
            mirror.Dispose();
        }
    }

    private string RunOnDevice(string operation, RecordingWords words)
    {
        if (operation is not ("device-read" or "device-write" or "migrate-to-device" or "migrate-to-system" or "make-exclusive"
            or "check-exclusive" or "snapshot"))
        {
            throw words.Error("not an operation", operation, "one of those of the README of the recordings");
        }

        DeviceMirror mirror = TakeMirror(words);
        VirtRange range = Regions.TakeRange(words, HmmRegions.Take(words));
        ulong value = operation == "device-write" ? words.TakeNumber("a value") : 0;
        words.End();
        byte[] bytes = new byte[(int)range.Length.Value];
        return operation switch
        {
            "device-read" => DeviceRead(mirror, range, bytes),
            "device-write" => DeviceWrite(mirror, range, bytes, value),
            "migrate-to-device" => MigrateToDevice(mirror, range, bytes),
            "migrate-to-system" => MigrateToSystem(mirror, range),
            "make-exclusive" => MakeExclusive(mirror, range, bytes),
            "check-exclusive" => mirror.CheckExclusive(range) is { IsOk: false } refused ? refused.ToString() : "ok",
            _ => Snapshot(mirror, range),
        };
    }

    private static string DeviceRead(DeviceMirror mirror, VirtRange range, byte[] bytes)
    {
        Errno errno = mirror.TryRead(range, bytes, out MirrorTransfer done);
        return errno.IsOk ? $"ok cpages={done.Pages.Value} faults={done.Faults} data={HmmAnswers.Data(bytes)}" : errno.ToString();
    }

    private static string DeviceWrite(DeviceMirror mirror, VirtRange range, byte[] bytes, ulong value)
    {
        for (int at = 0; at < bytes.Length; at += 8)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), value + (ulong)(at / PageBytes));
        }

        Errno errno = mirror.TryWrite(range, bytes, out MirrorTransfer done);
        return errno.IsOk ? $"ok cpages={done.Pages.Value} faults={done.Faults}" : errno.ToString();
    }

    private static string MigrateToDevice(DeviceMirror mirror, VirtRange range, byte[] bytes)
    {
        Errno errno = mirror.TryMigrateToDevice(range, out _);
        return errno.IsOk ? Mapped(mirror, range, bytes) : errno.ToString();
    }

    private static string MigrateToSystem(DeviceMirror mirror, VirtRange range)
    {
        Errno errno = mirror.TryMigrateToSystem(range, out PageCount moved);
        return errno.IsOk ? $"ok cpages={moved.Value}" : errno.ToString();
    }

    private static string MakeExclusive(DeviceMirror mirror, VirtRange range, byte[] bytes)
    {
        Errno errno = mirror.TryMakeExclusive(range);
        return errno.IsOk ? Mapped(mirror, range, bytes) : errno.ToString();
    }

    private static string Mapped(DeviceMirror mirror, VirtRange range, byte[] bytes)
    {
        Errno errno = mirror.TryReadMapped(range, bytes, out PageCount pages);
        return errno.IsOk ? $"ok cpages={pages.Value} data={HmmAnswers.Data(bytes)}" : errno.ToString();
    }

    private static string Snapshot(DeviceMirror mirror, VirtRange range)
    {
        var pages = new MirrorPage[range.Length.Value / PageBytes];
        Errno errno = mirror.TrySnapshot(range, pages);
        return errno.IsOk ? $"ok cpages={pages.Length} perm={HmmAnswers.Permissions(pages)}" : errno.ToString();
    }

    private string CpuWrite(RecordingWords words)
    {
        VirtAddr at = Regions.TakePage(words, HmmRegions.Take(words));
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, words.TakeNumber("a value"));
        words.End();
        return HmmAnswers.Signal(Space.Write(at, bytes));
    }

    private string CpuRead(RecordingWords words)
    {
        VirtAddr at = Regions.TakePage(words, HmmRegions.Take(words));
        words.End();
        byte[] bytes = new byte[PageBytes];
        FaultResult result = Space.Read(at, bytes);
        return result == FaultResult.Done ? $"ok data={HmmAnswers.Data(bytes)}" : HmmAnswers.Signal(result);
    }

    private string Pagemap(RecordingWords words)
    {
        VirtRange range = Regions.TakeRange(words, HmmRegions.Take(words));
        words.End();
        var views = new PageView[range.Length.Value / PageBytes];
        Space.CollectPagemap(range.Start, views);
        return $"ok map={HmmAnswers.Pagemap(views)}";
    }

    private string PinSlot(string operation, RecordingWords words)
    {
        ulong slot = words.TakeNumber("a slot");
        if (operation == "unpin")
        {
            words.End();
            pins.Unregister(slot);
            return "ok";
        }

        VirtRange range = Regions.TakeRange(words, HmmRegions.Take(words));
        words.End();
        Errno errno = pins.TryRegister(Space, slot, range);
        return errno.IsOk ? "ok" : errno.ToString();
    }

    private string PinSet(string operation, RecordingWords words)
    {
        if (operation == "long-unpin")
        {
            words.End();
            pins.UnpinSet();
            return "ok";
        }

        if (operation == "long-pin-read")
        {
            words.End();
            return pins.ReadSet() is { } data ? $"ok data={data}" : "EINVAL";
        }

        VirtRange range = Regions.TakeRange(words, HmmRegions.Take(words));
        string access = words.Take("read or write");
        string speed = words.Take("fast or slow");
        words.End();
        PinFlags flags = access switch
        {
            "read" => PinFlags.None,
            "write" => PinFlags.Write,
            _ => throw words.Error("not an access", access, "read or write"),
        };
        flags |= speed switch
        {
            "slow" => PinFlags.None,
            "fast" => PinFlags.Fast,
            _ => throw words.Error("not a speed", speed, "fast or slow"),
        };
        Errno errno = pins.TryPinSet(Space, range, flags);
        return errno.IsOk ? "ok" : errno.ToString();
    }

    private DeviceMirror Open(MirrorDevice device)
    {
        device.TryOpen(Space, out DeviceMirror? mirror).ThrowIfError();
        return mirror!;
    }

    private DeviceMirror TakeMirror(RecordingWords words)
    {
        ulong number = words.TakeNumber("a device");
        ulong first = (ulong)program.FirstDevice;
        return number >= first && number - first < (ulong)mirrors.Length
            ? mirrors[(int)(number - first)]
            : throw words.Error("not a device", number.ToString(CultureInfo.InvariantCulture), $"{first} or {first + 1}");
    }
}
