namespace Mm.Core.Dma;

/// <summary>One thing that a driver did wrong with a mapping.</summary>
/// <remarks><b>Linux:</b> one err_printk of kernel/dma/debug.c (v6.12). Immutable.</remarks>
/// <param name="Kind">What.</param>
/// <param name="Device">Whose mapping it was.</param>
/// <param name="Detail">The addresses involved, in words.</param>
public readonly record struct DmaDiagnostic(DmaDiagnosticKind Kind, DeviceId Device, string Detail);
