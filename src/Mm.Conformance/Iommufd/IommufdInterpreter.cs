using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;

namespace Mm.Conformance.Iommufd;

/// <summary>Replays a recording of I/O address spaces: programs over three spaces and one buffer.</summary>
/// <remarks>
/// Owns the model of the program that runs, and knows which spaces, domains and accesses are open, so that a line about
/// one that is not is a malformed recording.
/// <para><b>Linux:</b> drivers/iommu/iommufd with its selftest devices (v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class IommufdInterpreter(ConformanceOptions options) : RecordingInterpreter
{
    private const int PageBytes = 4096;
    private const ulong MostBytes = 16 << 20; // what the kernel's test access moves at once
    private const ulong MaxSlot = 65_535;
    private const string NotModelled = "nothing: the model refused to open it";

    private readonly Opened[] recorded = new Opened[IommufdModel.MaxSpaces]; // what the recording has open
    private readonly Opened[] modelled = new Opened[IommufdModel.MaxSpaces]; // what the model has; less where it diverged
    private IIommufdModel? model;
    private bool isRecordedOk; // of the line that is replayed

    /// <summary>Whether a file with this first line is one: programs of this kind are told by their folder or by their file.</summary>
    public static bool Recognizes(string folder, RecordingLine first) =>
        first.Text.StartsWith("program ", StringComparison.Ordinal)
            && (folder == "iommufd" || Path.GetFileName(first.File).Contains("iommufd", StringComparison.Ordinal));

    public override void Replay(RecordingLine line, ReplayLog log)
    {
        RecordingWords words = line.Words();
        string operation = words.Take("an operation");
        if (operation == "program")
        {
            _ = words.TakeNumber("a seed");
            words.End();
            Start(words);
            log.CountProgram();
            return;
        }

        if (model is null)
        {
            throw line.Words().Error("an operation stands outside a program", operation, "program");
        }

        if (operation == "end")
        {
            words.End();
            Dispose();
            return;
        }

        isRecordedOk = line.Outcome is "ok" || line.Outcome.StartsWith("ok ");
        log.Compare(line, Answer(operation, words));
    }

    public override void Finish(RecordingLine last, ReplayLog log)
    {
        if (model is not null)
        {
            throw last.Words().Error("a program has no end", last.Text, "end");
        }
    }

    public override void Dispose()
    {
        model?.Dispose();
        model = null;
        base.Dispose();
    }

    private static string Text(Errno errno) => errno.IsOk ? "ok" : errno.ToString();

    private static string Hex(ulong value) => value == 0 ? "0" : $"0x{value:x}";

    private void Start(RecordingWords words)
    {
        if (model is not null)
        {
            throw words.Error("a program begins inside another", "program", "end");
        }

        Array.Clear(recorded);
        Array.Clear(modelled);
        model = options.CreateIommufd();
    }

    private string Answer(string operation, RecordingWords words) => operation switch
    {
        "space" => CreateSpace(words),
        "destroy" => Destroy(words),
        "map" => Map(words),
        "unmap" => Unmap(words),
        "copy" => Copy(words),
        "ranges" => Ranges(words),
        "allow" => Allow(words),
        "reserve" => Reserve(words),
        "attach" => Attach(words),
        "detach" => Detach(words),
        "translate" => Translate(words),
        "pins" => Pins(words),
        "access" => Access(words),
        "access-pin" => AccessPin(words),
        "access-unpin" => AccessUnpin(words),
        "access-read" => AccessRead(words),
        "access-write" => AccessWrite(words),
        "cpu-read" => CpuRead(words),
        _ => throw words.Error("not an operation of iommufd", operation, "space, map, unmap, copy and so on"),
    };

    private string CreateSpace(RecordingWords words)
    {
        int space = TakeSpace(words, open: default);
        words.End();
        Errno errno = model!.TryCreate(space);
        Keep(space, Opened.Space, errno);
        return Text(errno);
    }

    private string Destroy(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        words.End();
        Errno errno = model!.TryDestroy(space);
        bool isGone = isRecordedOk;
        if (errno.IsOk && !isGone)
        {
            _ = model.TryCreate(space);
        }

        recorded[space] = isGone ? default : recorded[space];
        modelled[space] = isGone ? default : errno.IsOk ? Opened.Space : modelled[space];
        return Text(errno);
    }

    private string Map(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        DmaAddr? at = TakePlace(words);
        ByteCount offset = words.ParseBytes(words.TakeValue("user"));
        ByteCount length = words.ParseBytes(words.TakeValue("length"));
        IoAccess access = TakeAccess(words);
        words.End();
        Errno errno = model!.TryMap(space, at, offset, length, access, out DmaAddr address);
        return errno.IsOk ? $"ok iova={Hex(address.Value)}" : Text(errno);
    }

    private string Unmap(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        DmaAddr address = TakeAddress(words, "iova");
        ByteCount length = words.ParseBytes(words.TakeValue("length"));
        words.End();
        Errno errno = model!.TryUnmap(space, address, length, out ByteCount unmapped);
        return errno.IsOk ? $"ok unmapped={Hex(unmapped.Value)}" : Text(errno);
    }

    private string Copy(RecordingWords words)
    {
        int source = TakeSpace(words, Opened.Space);
        int space = TakeSpace(words, Opened.Space);
        DmaAddr from = TakeAddress(words, "from");
        ByteCount length = words.ParseBytes(words.TakeValue("length"));
        DmaAddr? at = TakePlace(words);
        IoAccess access = TakeAccess(words);
        words.End();
        Errno errno = model!.TryCopy(source, space, from, length, at, access, out DmaAddr address);
        return errno.IsOk ? $"ok iova={Hex(address.Value)}" : Text(errno);
    }

    private string Ranges(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        words.End();
        IEnumerable<string> ranges = model!.CollectUsableRanges(space)
            .Select(range => $"{Hex(range.First.Value)}-{Hex(range.Last.Value)}");
        return $"ok alignment={model.Alignment(space).Value} list={string.Join(',', ranges)}";
    }

    private string Allow(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        var ranges = new List<IoRange>();
        string list = words.Take("FIRST-LAST,..., or nothing");
        words.End();
        foreach (string word in list == "nothing" ? [] : list.Split(','))
        {
            string[] ends = word.Split('-');
            ulong first = words.ParseNumber(ends[0], "an I/O address");
            ulong last = words.ParseNumber(ends[^1], "an I/O address");
            if (ends.Length != 2 || last < first)
            {
                throw words.Error("not a range", word, "FIRST-LAST, the last not below the first");
            }

            ranges.Add(new IoRange(new DmaAddr(first), new DmaAddr(last)));
        }

        return Text(model!.TryAllow(space, [.. ranges]));
    }

    private string Reserve(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space);
        var start = new DmaAddr(words.TakeNumber("an I/O address"));
        ByteCount length = words.ParseBytes(words.TakeValue("length"));
        words.End();
        return Text(model!.TryReserve(space, start, length));
    }

    private string Attach(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space, without: Opened.Domain);
        words.End();
        Errno errno = model!.TryAttach(space);
        Keep(space, Opened.Domain, errno);
        return Text(errno);
    }

    private string Detach(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Domain);
        words.End();
        recorded[space] &= ~Opened.Domain;
        if (!IsModelled(space, Opened.Domain))
        {
            return NotModelled;
        }

        modelled[space] &= ~Opened.Domain;
        return Text(model!.TryDetach(space));
    }

    private string Translate(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Domain);
        var address = new DmaAddr(words.TakeNumber("an I/O address"));
        words.End();
        return IsModelled(space, Opened.Domain) ? $"ok page={model!.PageAt(space, address)}" : NotModelled;
    }

    private string Pins(RecordingWords words)
    {
        int page = TakePage(words);
        words.End();
        return $"ok count={model!.CountPins(page)}";
    }

    private string Access(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space, without: Opened.Access);
        words.End();
        Errno errno = model!.TryOpenAccess(space);
        Keep(space, Opened.Access, errno);
        return Text(errno);
    }

    private string AccessPin(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Access);
        int slot = TakeSlot(words);
        DmaAddr address = TakeAddress(words, "iova");
        ByteCount length = TakeLength(words);
        string kind = words.Take("read or write");
        if (kind is not ("read" or "write"))
        {
            throw words.Error("not a kind of access", kind, "read or write");
        }

        words.End();
        if (!IsModelled(space, Opened.Access))
        {
            return NotModelled;
        }

        Errno errno = model!.TryPin(space, slot, address, length, kind == "write", out int[] pages);
        if (!errno.IsOk)
        {
            return Text(errno);
        }

        return IommufdModel.IsRun(pages) ? $"ok page={pages[0]}" : "other-pages";
    }

    private string AccessUnpin(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Access);
        int slot = TakeSlot(words);
        words.End();
        if (!IsModelled(space, Opened.Access))
        {
            return NotModelled;
        }

        return Text(model!.TryUnpin(space, slot));
    }

    private string AccessRead(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Access);
        DmaAddr address = TakeAddress(words, "iova");
        var bytes = new byte[TakeLength(words).Value];
        words.End();
        if (!IsModelled(space, Opened.Access))
        {
            return NotModelled;
        }

        Errno errno = model!.TryRead(space, address, bytes);
        return errno.IsOk ? $"ok first={bytes[0]} last={bytes[^1]}" : Text(errno);
    }

    private string AccessWrite(RecordingWords words)
    {
        int space = TakeSpace(words, Opened.Space | Opened.Access);
        DmaAddr address = TakeAddress(words, "iova");
        var bytes = new byte[TakeLength(words).Value];
        ulong value = words.ParseNumber(words.TakeValue("value"), "a byte");
        if (value > byte.MaxValue)
        {
            throw words.Error("not a byte", value.ToString(), "0 to 255");
        }

        words.End();
        if (!IsModelled(space, Opened.Access))
        {
            return NotModelled;
        }

        Array.Fill(bytes, (byte)value);
        return Text(model!.TryWrite(space, address, bytes));
    }

    private string CpuRead(RecordingWords words)
    {
        int page = TakePage(words);
        words.End();
        Span<byte> bytes = stackalloc byte[PageBytes];
        model!.ReadPage(page, bytes);
        return $"ok first={bytes[0]} last={bytes[^1]}";
    }

    // Keeps what is open in step with the recording, so that one difference does not make nonsense of what follows.
    private void Keep(int space, Opened what, Errno errno)
    {
        recorded[space] |= isRecordedOk ? what : Opened.None;
        modelled[space] |= isRecordedOk && errno.IsOk ? what : Opened.None;
        if (errno.IsOk && !isRecordedOk)
        {
            _ = what switch
            {
                Opened.Domain => model!.TryDetach(space),
                Opened.Access => model!.TryCloseAccess(space),
                _ => model!.TryDestroy(space),
            };
        }
    }

    private bool IsModelled(int space, Opened what) => modelled[space].HasFlag(what);

    // A space with what must be open, and none of what must not.
    private int TakeSpace(RecordingWords words, Opened open, Opened without = default)
    {
        ulong space = words.TakeNumber("a space");
        if (space >= IommufdModel.MaxSpaces)
        {
            throw words.Error("not a space", space.ToString(), $"0 to {IommufdModel.MaxSpaces - 1}");
        }

        Opened now = recorded[(int)space];
        bool fits = open == default ? now == default : (now & open) == open && (now & without) == Opened.None;
        return fits
            ? (int)space
            : throw words.Error("the space is in the wrong state", $"{space}: {now}", $"{open} without {without}");
    }

    private static int TakePage(RecordingWords words)
    {
        ulong page = words.TakeNumber("a page");
        return page < IommufdModel.BufferPages
            ? (int)page
            : throw words.Error("not a page of the buffer", page.ToString(), $"0 to {IommufdModel.BufferPages - 1}");
    }

    private static int TakeSlot(RecordingWords words)
    {
        ulong slot = words.TakeNumber("a slot");
        return slot <= MaxSlot ? (int)slot : throw words.Error("not a slot", slot.ToString(), $"at most {MaxSlot}");
    }

    private static DmaAddr TakeAddress(RecordingWords words, string key) =>
        new(words.ParseNumber(words.TakeValue(key), "an I/O address"));

    private static DmaAddr? TakePlace(RecordingWords words)
    {
        string at = words.TakeValue("at");
        return at == "any" ? null : new DmaAddr(words.ParseNumber(at, "an I/O address, or any"));
    }

    private static ByteCount TakeLength(RecordingWords words)
    {
        ByteCount length = words.ParseBytes(words.TakeValue("length"));
        return length.Value <= MostBytes
            ? length
            : throw words.Error("more than an access takes at once", length.ToString(), $"at most {new ByteCount(MostBytes)}");
    }

    private static IoAccess TakeAccess(RecordingWords words)
    {
        string access = words.Take("rw, r-, -w or --");
        return access switch
        {
            "rw" => IoAccess.ReadWrite,
            "r-" => IoAccess.Read,
            "-w" => IoAccess.Write,
            "--" => IoAccess.None,
            _ => throw words.Error("not an access", access, "rw, r-, -w or --"),
        };
    }

    [Flags]
    private enum Opened
    {
        None = 0,
        Space = 1,
        Domain = 2,
        Access = 4,
    }
}
