using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>Where copies can be made to fail.</summary>
/// <remarks><b>Linux:</b> none; lib/fault-inject.c (v6.12) has no point for drivers' copies.</remarks>
public static class CopyFaults
{
    /// <summary>The copy of a page breaks off half-way: asked once a page, by every engine.</summary>
    public static FaultPoint Page { get; } = new("fail_copy_page");

    /// <summary>A device's engine takes no job: asked once a submission.</summary>
    public static FaultPoint Queue { get; } = new("fail_copy_queue");
}
