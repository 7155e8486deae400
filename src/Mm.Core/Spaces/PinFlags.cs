namespace Mm.Core.Spaces;

/// <summary>What somebody wants with the pages of an address space.</summary>
/// <remarks><b>Linux:</b> FOLL_WRITE and its sisters (v6.12), those that change what happens; whether pages are got or pinned, the method says.</remarks>
[Flags]
public enum PinFlags
{
    /// <summary>To read, for a short time.</summary>
    None = 0,

    /// <summary>To write. <b>Linux:</b> FOLL_WRITE.</summary>
    Write = 1,

    /// <summary>For longer than a system call. <b>Linux:</b> FOLL_LONGTERM.</summary>
    LongTerm = 2,

    /// <summary>Whatever the area forbids, as a debugger may. <b>Linux:</b> FOLL_FORCE.</summary>
    Force = 4,

    /// <summary>Peer memory is welcome. <b>Linux:</b> FOLL_PCI_P2PDMA.</summary>
    PeerMemory = 8,

    /// <summary>Only what is there. <b>Linux:</b> FOLL_NOFAULT.</summary>
    NoFault = 16,

    /// <summary>First without the lock, as far as that goes. <b>Linux:</b> pin_user_pages_fast.</summary>
    Fast = 32,

    /// <summary>A leaf of 2 MiB is broken up first. <b>Linux:</b> FOLL_SPLIT_PMD.</summary>
    SplitLarge = 64,
}
