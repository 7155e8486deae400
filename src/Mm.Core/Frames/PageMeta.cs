using System.Runtime.InteropServices;

namespace Mm.Core.Frames;

/// <summary>What is known of one frame: one cache line, at the frame's number in the frame table.</summary>
/// <remarks>
/// Owns nothing; the fields mean something only while <see cref="Count"/> says so.
/// <para><b>Linux:</b> struct page and struct folio (include/linux/mm_types.h, v6.12). No field shares storage with
/// another one: a page map's index, the list links, the mapping and the owner's word can all be set at once. A tail
/// has no word of its own: its head is found by alignment, so that a folio costs one cache line to make. Mapcount is
/// biased by one against Linux's, so that zeroed metadata is legal.</para>
/// <para><b>Invariants:</b> (1) 64 bytes, all zero means never touched; (2) while Blank only zero fields but
/// <see cref="Generation"/> and <see cref="Flags"/> may remain from before.</para>
/// <para><b>Order of the fields:</b> what a get and put of a single page touches comes first; what address spaces and the
/// reverse map add comes after the links.</para>
/// </remarks>
[StructLayout(LayoutKind.Explicit, Size = 64)]
internal struct PageMeta
{
    /// <summary>The bit of <see cref="Mapping"/> that says: of a family of processes, not of a file.</summary>
    internal const ulong AnonMapping = 1;

    /// <summary>Bytes 0-7: <see cref="PageCountWord"/>. Atomic, by <see cref="PageTransitions"/>; plain for a sole owner.</summary>
    [FieldOffset(0)]
    internal ulong Count;

    /// <summary>Bytes 8-15: <see cref="PageFlagsWord"/>. Atomic while in use; plain for a sole owner.</summary>
    [FieldOffset(8)]
    internal ulong Flags;

    /// <summary>Bytes 16-23: next on a list, as frame number + 1; 0 at its end. Protected by the list's lock.</summary>
    [FieldOffset(16)]
    internal ulong Next;

    /// <summary>Bytes 24-31: previous on a list, as frame number + 1; 0 at its start. Protected by the list's lock.</summary>
    [FieldOffset(24)]
    internal ulong Previous;

    /// <summary>Bytes 32-39: what maps the page, as its table's index shifted up by one; bit 0 an anonymous family, else a file; 0 for nothing.</summary>
    [FieldOffset(32)]
    internal ulong Mapping;

    /// <summary>Bytes 40-47: where in what maps it, in pages.</summary>
    [FieldOffset(40)]
    internal ulong Index;

    /// <summary>Bytes 48-55: the owner's word: a driver's page data; of a folio's head, the leaves and entries that map it.</summary>
    [FieldOffset(48)]
    internal ulong Private;

    /// <summary>Bytes 56-59: how many page-table entries map it; 0 for none. Atomic.</summary>
    [FieldOffset(56)]
    internal uint MapCount;

    /// <summary>Bytes 60-61: how often it was freed, modulo 2^16: what tells a stale lease. Written by a sole owner.</summary>
    [FieldOffset(60)]
    internal ushort Generation;

    // Bytes 62-63 stay zero.
}
