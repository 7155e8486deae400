namespace Mm.Core.Dma;

/// <summary>An access of a device that did not go through, and why.</summary>
/// <remarks>
/// <b>Linux:</b> what report_iommu_fault and the AER log tell (v6.12).
/// <para><c>default</c> is no fault. Immutable.</para>
/// </remarks>
/// <param name="Kind">Why.</param>
/// <param name="Device">Who accessed.</param>
/// <param name="Address">The first DMA address that failed.</param>
/// <param name="Access">What was tried.</param>
public readonly record struct DmaFault(DmaFaultKind Kind, DeviceId Device, DmaAddr Address, IoAccess Access)
{
    /// <summary>Whether there was a fault.</summary>
    public bool IsFault => Kind != DmaFaultKind.None;

    /// <summary>The fault in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        IsFault ? $"{Device}: {Kind} at {Address} ({Access})" : "no fault";
}
