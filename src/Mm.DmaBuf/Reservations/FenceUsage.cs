namespace Mm.DmaBuf.Reservations;

/// <summary>What a fence of a reservation stands for. A question for one usage gives that one and all before it.</summary>
/// <remarks><b>Linux:</b> enum dma_resv_usage (v6.12).</remarks>
public enum FenceUsage
{
    /// <summary>Moves and clears by the kernel: everybody waits for them.</summary>
    Kernel = 0,

    /// <summary>Writes by devices: readers wait for these and what is before.</summary>
    Write = 1,

    /// <summary>Reads by devices: writers wait for these and what is before.</summary>
    Read = 2,

    /// <summary>Whatever else must end before the memory goes: nobody waits for these implicitly.</summary>
    Bookkeep = 3,
}
