using Mm.Core;

namespace Mm.Hmm.Mirrors;

/// <summary>What a device did for one request.</summary>
/// <remarks><b>Linux:</b> cpages and faults of struct hmm_dmirror_cmd (v6.12). Immutable.</remarks>
/// <param name="Pages">Pages done.</param>
/// <param name="Faults">How often the device had to fault for them.</param>
public readonly record struct MirrorTransfer(PageCount Pages, int Faults);
