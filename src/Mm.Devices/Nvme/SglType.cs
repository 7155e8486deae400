namespace Mm.Devices.Nvme;

/// <summary>What a scatter-gather descriptor leads to.</summary>
/// <remarks><b>Linux:</b> NVME_SGL_FMT_DATA_DESC and its sisters (v6.12), same numbers.</remarks>
internal enum SglType
{
    DataBlock = 0,
    BitBucket = 1,
    Segment = 2,
    LastSegment = 3,
}
