namespace Mm.Core.Dma;

/// <summary>One thing that a driver did wrong with a mapping.</summary>
/// <param name="Kind">What.</param>
/// <param name="Device">Whose mapping it was.</param>
/// <param name="Detail">The addresses involved, in words.</param>
public readonly record struct DmaDiagnostic(DmaDiagnosticKind Kind, DeviceId Device, string Detail);
