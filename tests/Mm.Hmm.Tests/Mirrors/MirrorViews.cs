using System.Runtime.InteropServices;
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>What one process, its devices and its pins would see, looked up without touching: no fault, no move.</summary>
internal sealed class MirrorViews(MirrorWorld world, MirrorProcess process, ReferenceProcess known)
{
    private const int MaxPages = 6;

    private readonly byte[] bytes = new byte[MirrorRig.PageBytes];

    /// <summary>Compares all of it with the reference.</summary>
    /// <param name="who">How messages name the process.</param>
    internal void Check(string who)
    {
        for (int region = 0; region < ReferenceProcess.Regions; region++)
        {
            foreach (ulong start in (ulong[])[ReferenceProcess.HomeOf(region), ReferenceProcess.AwayOf(region)])
            {
                for (ulong offset = 0; offset < MaxPages * ReferenceProcess.PageBytes; offset += ReferenceProcess.PageBytes)
                {
                    CheckPage($"{who}{(char)('A' + region)} at 0x{start + offset:x}", start + offset, known.Find(start + offset));
                }
            }
        }

        CheckPins($"{who}the set of pins", process.PinSet, known.PinSet);
        Assert.That(process.Slots.Keys, Is.EquivalentTo(known.Slots.Keys));
        foreach ((ulong slot, PagePin[] pins) in process.Slots)
        {
            CheckPins($"{who}pin {slot}", pins, known.Slots[slot]);
        }
    }

    private void CheckPage(string where, ulong address, ReferencePage? page)
    {
        var at = new VirtAddr(address);
        Pte entry = process.Space.Tables.Read(at);
        if (page is null)
        {
            Require(entry.IsNone, where, "nothing is mapped, and an entry stands");
        }
        else if (!entry.IsNone)
        {
            Require(entry.HasFrame && !entry.IsMigration, where, "the entry names no page");
            ReadFrame(entry.Frame);
            Compare(where, "the CPU's entry", page.Cell.Words);
        }
        else if (page.IsPrivate)
        {
            Require(page.Cell.Words == page.Fresh, where, "what was written is gone");
        }

        foreach (DeviceMirror mirror in process.Mirrors)
        {
            if (mirror.TryReadMapped(new VirtRange(at, PageSize.Small.Bytes), bytes, out _).IsOk)
            {
                Require(page is { IsReadable: true }, where, "a device maps what its process may not read");
                Compare(where, "a device", page!.Cell.Words);
            }
        }
    }

    private void CheckPins(string where, PagePin[] pins, ReferenceCell[] cells)
    {
        Assert.That(pins, Has.Length.EqualTo(cells.Length), where);
        byte[] seen = process.ReadPins(pins);
        for (int index = 0; index < cells.Length; index++)
        {
            seen.AsSpan(index * bytes.Length, bytes.Length).CopyTo(bytes);
            Compare(where, "a pin", cells[index].Words);
        }
    }

    private void ReadFrame(Pfn frame)
    {
        Errno errno = Errno.ENOENT;
        foreach (MirrorDevice device in world.Devices)
        {
            errno = device.Bytes.TryLease(frame, PageSize.Small, out SpanLease lease);
            if (errno.IsOk)
            {
                using (lease)
                {
                    lease.Bytes.CopyTo(bytes);
                }

                return;
            }
        }

        errno.ThrowIfError();
    }

    private void Compare(string where, string who, ReferenceWords wanted)
    {
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        bool isSame = words[0] == wanted.First && words[^1] == wanted.Last && !words[1..^1].ContainsAnyExcept(wanted.Others);
        if (!isSame)
        {
            string seen = $"{words[0]}, {words[1]} … {words[^1]}";
            Assert.Fail($"{where}: {who} sees {seen}, and not {wanted.First}, {wanted.Others} … {wanted.Last}");
        }
    }

    private static void Require(bool holds, string where, string what)
    {
        if (!holds)
        {
            Assert.Fail($"{where}: {what}");
        }
    }
}
