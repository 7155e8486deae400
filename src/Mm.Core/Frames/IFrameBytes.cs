namespace Mm.Core.Frames;

/// <summary>The bytes behind RAM, as far as the allocator touches them: to clear or poison what it hands out.</summary>
/// <remarks><b>Linux:</b> clear_highpage and page_poison (v6.12). <b>Locking:</b> called with no lock held.</remarks>
internal interface IFrameBytes
{
    /// <summary>Fills frames.</summary>
    /// <param name="frames">The frames: RAM, and the caller's alone.</param>
    /// <param name="value">What every byte becomes.</param>
    void Fill(PfnRange frames, byte value);
}
