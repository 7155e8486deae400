namespace Mm.Devices.Gpus.Svm;

/// <summary>What a GPU wants of a process's memory: its driver's policy, which no mempolicy of the process has a say in.</summary>
/// <remarks><b>Linux:</b> struct drm_gpusvm_ctx (v6.19). <c>default</c> reads and writes where the memory is. Immutable.</remarks>
public readonly record struct SvmRequest
{
    /// <summary>Whether it only reads.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether the memory is to come to the GPU if it can. <b>Linux:</b> devmem_possible and the driver's own advice.</summary>
    public bool WantsDevice { get; init; }

    /// <summary>Whether it is refused where the memory cannot come. <b>Linux:</b> devmem_only.</summary>
    public bool RequiresDevice { get; init; }

    /// <summary>Whether a range may lie in RAM and on the GPU. <b>Linux:</b> allow_mixed.</summary>
    public bool AllowsMixed { get; init; }

    /// <summary>How long memory that came stays, whatever CPUs touch, in nanoseconds of the machine's clock. <b>Linux:</b> timeslice_ms.</summary>
    public ulong TimesliceNs { get; init; }
}
