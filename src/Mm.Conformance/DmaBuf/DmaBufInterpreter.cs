using System.Globalization;
using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Fences;
using Mm.DmaBuf.Reservations;

namespace Mm.Conformance.DmaBuf;

/// <summary>Replays a recording of dma-buf: timelines, sync files, buffers of udmabuf and of the system heap, and their fences.</summary>
/// <remarks>
/// Each <c>program</c> is a process of its own on a machine of its own.
/// <para><b>Linux:</b> the ioctls of sw_sync, sync_file, dma-buf, udmabuf and dma-heap, as recorded (v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class DmaBufInterpreter : RecordingInterpreter
{
    private const string EachFence = "each=";

    private readonly ConformanceOptions options;
    private readonly Dictionary<string, Func<DmaBufProgram, RecordingWords, string>> operations;
    private DmaBufProgram? program;

    public DmaBufInterpreter(ConformanceOptions options)
    {
        this.options = options;
        operations = new(StringComparer.Ordinal)
        {
            ["timeline"] = static (program, words) => Text(program.CreateTimeline(Slot(words))),
            ["advance"] = static (program, words) => Text(program.Advance(Slot(words), TakeValue(words))),
            ["close-timeline"] = static (program, words) => Text(program.CloseTimeline(Slot(words))),
            ["fence"] = static (program, words) => Text(program.CreateFence(Slot(words), Slot(words), TakeValue(words))),
            ["merge"] = static (program, words) => Text(program.Merge(Slot(words), Slot(words), Slot(words))),
            ["info"] = Describe,
            ["wait"] = Wait,
            ["close-fence"] = static (program, words) => Text(program.CloseFence(Slot(words))),
            ["udmabuf"] = CreateUdmabuf,
            ["heap"] = CreateHeapBuffer,
            ["import-fence"] = static (program, words) => Text(program.ImportFence(Slot(words), Slot(words), TakeAccess(words))),
            ["export-fence"] = static (program, words) => Text(program.ExportFence(Slot(words), Slot(words), TakeAccess(words))),
            ["ready"] = Poll,
            ["cpu-access"] = static (program, words) => Text(program.Sync(Slot(words), (CpuAccessFlags)TakeFlags(words))),
            ["mmap"] = Map,
            ["seek"] = Seek,
            ["close-buffer"] = static (program, words) => Text(program.CloseBuffer(Slot(words))),
        };
    }

    /// <summary>Whether a file is one: by its folder, as programs of several kinds begin alike, or by its name.</summary>
    public static bool Recognizes(string folder, RecordingLine first) =>
        first.Text.StartsWith("program ", StringComparison.Ordinal)
        && (folder == "dma-buf" || Path.GetFileName(first.File).StartsWith("dma-buf", StringComparison.Ordinal));

    public override void Replay(RecordingLine line, ReplayLog log)
    {
        RecordingWords words = line.Words();
        string operation = words.Take("an operation");
        if (operation is "program" or "end")
        {
            StartOrEnd(operation, words, log);
            return;
        }

        if (!operations.TryGetValue(operation, out Func<DmaBufProgram, RecordingWords, string>? run))
        {
            throw line.Words().Error("not an operation", operation, string.Join(", ", operations.Keys));
        }

        if (program is null)
        {
            throw line.Words().Error("an operation stands in the wrong place", operation, "operations between program and end");
        }

        string got = run(program, words);
        words.End();
        string recorded = line.Outcome.ToString();
        log.Compare(line, operation == "info" && WrittenOut(recorded) == got ? recorded : got);
    }

    public override void Finish(RecordingLine last, ReplayLog log)
    {
        if (program is not null)
        {
            throw last.Words().Error("a program has no end", last.Text, "end");
        }
    }

    public override void Dispose()
    {
        program?.Dispose();
        program = null;
        base.Dispose();
    }

    private void StartOrEnd(string operation, RecordingWords words, ReplayLog log)
    {
        bool starts = operation == "program";
        if (starts != (program is null))
        {
            throw words.Error("a program begins or ends in the wrong place", operation, starts ? "end" : "program");
        }

        if (starts)
        {
            _ = words.TakeNumber("a seed");
            words.End();
            log.CountProgram();
            program = options.CreateDmaBufProgram();
            return;
        }

        words.End();
        program!.Dispose();
        program = null;
    }

    private static string Describe(DmaBufProgram program, RecordingWords words)
    {
        Errno errno = program.Describe(Slot(words), out SyncFileInfo whole, out SyncFenceInfo[] each);
        string statuses = string.Join(',', each.Select(static one => one.Status.Number));
        return errno.IsOk ? $"ok status={whole.Status.Number} fences={whole.FenceCount} {EachFence}{statuses}" : Text(errno);
    }

    private static string WrittenOut(string outcome)
    {
        int list = outcome.IndexOf(EachFence, StringComparison.Ordinal) + EachFence.Length;
        return list < EachFence.Length ? outcome : outcome[..list] + RunLengths.Expand(outcome[list..]);
    }

    private static string Wait(DmaBufProgram program, RecordingWords words)
    {
        Errno errno = program.IsReady(Slot(words), out bool isReady);
        return errno.IsOk ? isReady ? "signaled" : "pending" : Text(errno);
    }

    private static string CreateUdmabuf(DmaBufProgram program, RecordingWords words)
    {
        ulong slot = Slot(words);
        ulong pages = words.ParseNumber(words.TakeValue("file-pages"), "a number of pages");
        if (pages > 1024)
        {
            throw words.Error("not a file that is modelled", $"{pages} pages", "at most 1024 pages");
        }

        FileSeals seals = ParseSeals(words, words.TakeValue("seals"));
        ByteCount offset = words.ParseBytes(words.TakeValue("offset"));
        ByteCount size = words.ParseBytes(words.TakeValue("size"));
        return Text(program.CreateUdmabuf(slot, new PageCount(pages), seals, offset, size));
    }

    private static string CreateHeapBuffer(DmaBufProgram program, RecordingWords words)
    {
        ulong slot = Slot(words);
        ByteCount size = words.ParseBytes(words.TakeValue("size"));
        return Text(program.CreateHeapBuffer(slot, size, TakeFlags(words)));
    }

    private static string Poll(DmaBufProgram program, RecordingWords words)
    {
        Errno errno = program.Poll(Slot(words), out SyncAccess ready);
        int read = (ready & SyncAccess.Read) != SyncAccess.None ? 1 : 0;
        int write = (ready & SyncAccess.Write) != SyncAccess.None ? 1 : 0;
        return errno.IsOk ? $"ok read={read} write={write}" : Text(errno);
    }

    private static string Map(DmaBufProgram program, RecordingWords words)
    {
        ulong slot = Slot(words);
        ulong pages = words.ParseNumber(words.TakeValue("pages"), "a number of pages");
        ulong first = words.ParseNumber(words.TakeValue("at"), "a page");
        Errno errno = program.Map(slot, new PageCount(first), new PageCount(pages), out ByteCount size);
        return errno.IsOk ? $"ok size={size.Value}" : Text(errno);
    }

    private static string Seek(DmaBufProgram program, RecordingWords words)
    {
        ulong slot = Slot(words);
        string distance = words.Take("a distance");
        if (!long.TryParse(distance, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long far))
        {
            throw words.Error("not a number", distance, "a distance");
        }

        ulong whence = words.TakeNumber("an origin");
        Errno errno = program.Seek(slot, far, (int)Math.Min(whence, int.MaxValue), out ByteCount at);
        return errno.IsOk ? $"ok at={at.Value}" : Text(errno);
    }

    private static ulong Slot(RecordingWords words) => words.TakeNumber("a slot");

    private static uint TakeValue(RecordingWords words)
    {
        ulong value = words.TakeNumber("a value");
        return value <= uint.MaxValue ? (uint)value : throw words.Error("not a value", $"{value}", "32 bits");
    }

    private static uint TakeFlags(RecordingWords words)
    {
        ulong flags = words.ParseNumber(words.TakeValue("flags"), "flags");
        return flags <= int.MaxValue ? (uint)flags : throw words.Error("not flags", $"{flags}", "31 bits");
    }

    private static SyncAccess TakeAccess(RecordingWords words) => (SyncAccess)TakeFlags(words);

    private static FileSeals ParseSeals(RecordingWords words, string text)
    {
        FileSeals seals = FileSeals.None;
        foreach (string word in text.Split('+'))
        {
            seals |= word switch
            {
                "none" => FileSeals.None,
                "seal" => FileSeals.Seal,
                "shrink" => FileSeals.Shrink,
                "grow" => FileSeals.Grow,
                "write" => FileSeals.Write,
                "future-write" => FileSeals.FutureWrite,
                _ => throw words.Error("not a seal", word, "none, seal, shrink, grow, write, future-write"),
            };
        }

        return seals;
    }

    private static string Text(Errno errno) => errno.IsOk ? "ok" : errno.ToString();
}
