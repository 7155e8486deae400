namespace Mm.Devices;

/// <summary>By what something is held.</summary>
/// <remarks><b>Linux:</b> the counters that keep a driver's remove function waiting, which no kernel names in one place (v6.12).</remarks>
public enum HoldingKind
{
    /// <summary>Pages that were allocated and not given back.</summary>
    Page = 0,

    /// <summary>Pins: the memory may not move.</summary>
    Pin = 1,

    /// <summary>DMA mappings: a device may still reach the memory.</summary>
    Mapping = 2,

    /// <summary>Attachments to shared buffers.</summary>
    Attachment = 3,

    /// <summary>Fences that have not signalled.</summary>
    Fence = 4,

    /// <summary>Memory regions with a key.</summary>
    Region = 5,

    /// <summary>Fragments lent to user space, each with a token.</summary>
    Token = 6,

    /// <summary>Handles: open files, bindings, queues.</summary>
    Handle = 7,
}
