using System.Buffers.Binary;
using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.Conformance.Hmm;

/// <summary>What a program does to its address space: map, unmap, protect, move, advise.</summary>
internal readonly struct HmmMappings(AddressSpace space, HmmRegions regions, Machine machine)
{
    private const ulong FileBase = 1000; // page i of a file holds 1000+i at both ends

    /// <summary>Does one operation.</summary>
    /// <param name="operation">Which.</param>
    /// <param name="words">Its arguments.</param>
    /// <returns>Its outcome.</returns>
    internal string Run(string operation, RecordingWords words)
    {
        int region = HmmRegions.Take(words);
        Errno errno = operation switch
        {
            "map" => Map(words, region),
            "move" => Move(words, region),
            "protect" => Protect(words, region),
            _ => OverRange(operation, words, region),
        };
        return errno.IsOk ? "ok" : errno.ToString();
    }

    private static AreaAccess TakeAccess(RecordingWords words) => words.Take("rw, r- or --") switch
    {
        "rw" => AreaAccess.ReadWrite,
        "r-" => AreaAccess.Read,
        "--" => AreaAccess.None,
        var other => throw words.Error("not a protection", other, "rw, r- or --"),
    };

    private Errno Map(RecordingWords words, int region)
    {
        var pages = new PageCount(words.TakeNumber("a number of pages"));
        if (pages.Value is 0 or > HmmRegions.MaxPages)
        {
            throw words.Error("not a number of pages", $"{pages.Value}", $"1 to {HmmRegions.MaxPages}");
        }

        AreaAccess access = TakeAccess(words);
        string kindName = words.Take("a kind of mapping");
        words.End();
        AreaKind kind = kindName switch
        {
            "anon" => AreaKind.AnonymousPrivate,
            "shared-anon" => AreaKind.AnonymousShared,
            "file-private" => AreaKind.FilePrivate,
            "file-shared" => AreaKind.FileShared,
            _ => throw words.Error("not a kind of mapping", kindName, "anon, shared-anon, file-private or file-shared"),
        };
        bool isOfFile = kind is AreaKind.FilePrivate or AreaKind.FileShared;
        using MemoryFile? file = isOfFile ? MakeFile(pages) : null;
        VirtAddr home = regions.Map(region, pages);
        var request = new AreaRequest(pages.ToBytes(), new AreaTraits(kind, access) { Backing = file })
        {
            At = home,
            Placement = AreaPlacement.Fixed,
        };
        Errno errno = space.TryMap(request, out _);
        return errno.IsOk && kind == AreaKind.AnonymousPrivate && regions.WantsHugePages
            ? space.TryWantHugePages(home, pages.ToBytes(), wanted: true)
            : errno;
    }

    private MemoryFile MakeFile(PageCount pages)
    {
        MemoryFile file = machine.Spaces.CreateFile();
        file.TryResize(pages.ToBytes()).ThrowIfError();
        byte[] page = new byte[4096];
        for (ulong index = 0; index < pages.Value; index++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(page, FileBase + index);
            BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(4096 - 8), FileBase + index);
            file.TryWrite(new PageCount(index).ToBytes(), page, out _).ThrowIfError();
        }

        return file;
    }

    private Errno Move(RecordingWords words, int region)
    {
        words.End();
        (VirtRange from, VirtAddr to) = regions.OtherPlace(region);
        var move = new AreaMove(from.Start, from.Length, from.Length) { MayMove = true, To = to };
        Errno errno = space.TryMove(move, out _);
        if (errno.IsOk)
        {
            regions.Move(region, to);
        }

        return errno;
    }

    private Errno Protect(RecordingWords words, int region)
    {
        VirtRange range = regions.TakeRange(words, region);
        AreaAccess access = TakeAccess(words);
        words.End();
        return space.TryProtect(range.Start, range.Length, access);
    }

    private Errno OverRange(string operation, RecordingWords words, int region)
    {
        VirtRange range = regions.TakeRange(words, region);
        words.End();
        return operation switch
        {
            "unmap" => space.TryUnmap(range.Start, range.Length),
            "dontneed" => space.TryDropPages(range.Start, range.Length),
            _ => space.TryPopulateWrite(range.Start, range.Length),
        };
    }
}
