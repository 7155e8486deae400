namespace Mm.Core.Frames;

/// <summary>How the folio of a page is used, read at one moment.</summary>
/// <param name="Mapping">Who it belongs to; 0 for nobody. <b>Linux:</b> folio-&gt;mapping.</param>
/// <param name="References">Its references, pins of a small page as 1024 each.</param>
/// <param name="MapCount">How many entries and leaves map it.</param>
/// <param name="IsLarge">Whether it has several pages.</param>
/// <param name="IsDevice">Whether it is a device's.</param>
internal readonly record struct PageUsage(ulong Mapping, uint References, ulong MapCount, bool IsLarge, bool IsDevice)
{
    /// <summary>Whether it is a page of a file.</summary>
    internal bool IsOfFile => Mapping != 0 && (Mapping & PageMeta.AnonMapping) == 0;
}
