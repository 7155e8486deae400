using Mm.Conformance.Recordings;
using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>One <c>add-resource</c> or <c>allocator</c> block of a recording, from its first line to <c>end</c>.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
internal sealed class P2pMemoryBlock : IDisposable
{
    private const ulong MaxSlot = 65_535;

    private readonly IP2pMemoryModel model;
    private readonly bool isAllocator;

    private P2pMemoryBlock(IP2pMemoryModel model, bool isAllocator)
    {
        this.model = model;
        this.isAllocator = isAllocator;
    }

    /// <summary>Reads the rest of an <c>add-resource</c> line.</summary>
    public static P2pMemoryBlock StartAdding(
        RecordingWords words, P2pMachine machine, Func<P2pBarLayout, IP2pMemoryModel> create)
    {
        PciFunction device = machine.Find(machine.TakeKnown(words));
        ulong bar = words.ParseNumber(words.TakeValue("bar"), "a BAR, 0 to 5");
        ByteCount length = words.ParseBytes(words.TakeValue("len"));
        ulong aligned = words.ParseNumber(words.TakeValue("start-aligned-2M"), "0 or 1");
        words.End();
        if (bar > 5 || aligned > 1)
        {
            throw words.Error("a value is out of range", $"bar={bar} start-aligned-2M={aligned}", "bar 0 to 5, aligned 0 or 1");
        }

        CheckLength(words, length);
        return new P2pMemoryBlock(create(new P2pBarLayout(device, (int)bar, length, aligned == 1)), isAllocator: false);
    }

    /// <summary>Reads the rest of an <c>allocator</c> line: the pool is the device's largest BAR, whole.</summary>
    public static P2pMemoryBlock StartAllocator(
        RecordingWords words, P2pMachine machine, Func<P2pBarLayout, IP2pMemoryModel> create)
    {
        PciFunction device = machine.Find(machine.TakeKnown(words));
        words.End();
        PciBar largest = device.Bars.OrderByDescending(bar => bar.Size).FirstOrDefault();
        if (largest.Size is not { } length)
        {
            throw words.Error("the device has no BAR", device.Address.ToString(), "a device with a BAR");
        }

        CheckLength(words, length);
        IP2pMemoryModel pool = create(new P2pBarLayout(device, largest.Index, length, IsAligned: true));
        Errno errno = pool.TryAdd(length, ByteCount.Zero);
        if (!errno.IsOk)
        {
            pool.Dispose();
            throw words.Error("the BAR cannot be a pool", $"{length}: {errno}", "a BAR of whole granules of 2 MiB");
        }

        return new P2pMemoryBlock(pool, isAllocator: true);
    }

    /// <summary>Replays a line of the block.</summary>
    /// <returns>What came out; <see langword="null"/> where the block ends here.</returns>
    public string? Replay(string operation, RecordingWords words)
    {
        switch (operation)
        {
            case "add" when !isAllocator:
                ByteCount size = words.ParseBytes(words.TakeValue("size"));
                ByteCount offset = words.ParseBytes(words.TakeValue("offset"));
                words.End();
                return Text(model.TryAdd(size, offset));
            case "alloc" when isAllocator:
                ulong slot = TakeSlot(words);
                ByteCount bytes = words.ParseBytes(words.Take("a number of bytes"));
                words.End();
                Errno errno = model.TryAllocate(slot, bytes, out ByteCount at);
                return errno.IsOk ? $"ok offset=0x{at.Value:x}" : Text(errno);
            case "free" when isAllocator:
                ulong freed = TakeSlot(words);
                words.End();
                return Text(model.TryFree(freed));
            case "end":
                words.End();
                return null;
            default:
                throw words.Error("not an operation of this block", operation, isAllocator ? "alloc, free or end" : "add or end");
        }
    }

    public void Dispose() => model.Dispose();

    private static string Text(Errno errno) => errno.IsOk ? "ok" : errno.ToString();

    private static ulong TakeSlot(RecordingWords words)
    {
        ulong slot = words.TakeNumber("a slot");
        return slot <= MaxSlot ? slot : throw words.Error("not a slot", slot.ToString(), $"at most {MaxSlot}");
    }

    private static void CheckLength(RecordingWords words, ByteCount length)
    {
        ByteCount most = ByteCount.FromGiB(64);
        if (length.IsZero || length > most)
        {
            throw words.Error("not a BAR that is modelled", length.ToString(), $"1 B to {most}");
        }
    }
}
