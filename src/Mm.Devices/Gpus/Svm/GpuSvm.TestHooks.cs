namespace Mm.Devices.Gpus.Svm;

/// <content>Faults of the past that tests put back in, to see them caught.</content>
public sealed partial class GpuSvm
{
    /// <summary>Whether the pages of a mapping are counted from its start, wherever the range begins: museum 28.</summary>
    internal bool CountsFromMappingStart { get; set; }
}
