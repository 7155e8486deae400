using Mm.Core.Frames;

namespace Mm.Core.Spaces;

/// <summary>Takes the page that another one is to move to.</summary>
/// <remarks><b>Linux:</b> new_folio_t (v6.12).</remarks>
/// <param name="index">Which page the moving one is of its area or file.</param>
/// <param name="order">Its order.</param>
/// <param name="page">The page taken, empty when refused.</param>
/// <returns>Ok; ENOMEM: there is none.</returns>
internal delegate Errno MoveTarget(ulong index, int order, out PageRef page);
