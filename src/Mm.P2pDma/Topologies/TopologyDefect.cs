using Mm.Core;

namespace Mm.P2pDma.Topologies;

/// <summary>What is wrong with a topology or an edit: the kind, and who is concerned.</summary>
/// <remarks><c>default</c> is no defect. Immutable.</remarks>
/// <param name="Kind">What is wrong.</param>
/// <param name="Subject">The function, host bridge, node or host concerned, as text.</param>
/// <param name="Other">The second party, as text; empty where there is none.</param>
public readonly record struct TopologyDefect(TopologyDefectKind Kind, string? Subject, string? Other)
{
    /// <summary>The function concerned, where it is one: what an importer maps to a line of its file.</summary>
    public PciPlace? Place { get; init; }

    /// <summary>Linux's number for such a refusal: EEXIST for duplicates, ENODEV for what is missing, EINVAL for the rest.</summary>
    public Errno Errno => Kind switch
    {
        TopologyDefectKind.None => Errno.Ok,
        TopologyDefectKind.DuplicateFunction or TopologyDefectKind.DuplicateHostBridge or TopologyDefectKind.DuplicateNode
            or TopologyDefectKind.DuplicateHost or TopologyDefectKind.DuplicateBar => Errno.EEXIST,
        TopologyDefectKind.MissingParent or TopologyDefectKind.MissingHostBridge or TopologyDefectKind.MissingHost
            or TopologyDefectKind.MissingFunction => Errno.ENODEV,
        _ => Errno.EINVAL,
    };

    /// <summary>One sentence: who, and what is wrong.</summary>
    /// <returns>The text; empty where nothing is wrong.</returns>
    public override string ToString() => Kind switch
    {
        TopologyDefectKind.None => "",
        TopologyDefectKind.DuplicateFunction => $"function {Subject} is there twice",
        TopologyDefectKind.DuplicateHostBridge => $"host bridge {Subject} is there twice",
        TopologyDefectKind.DuplicateNode => $"NUMA {Subject} is there twice",
        TopologyDefectKind.DuplicateHost => $"{Subject} is there twice",
        TopologyDefectKind.DuplicateBar => $"function {Subject} has {Other} twice",
        TopologyDefectKind.MissingParent => $"function {Subject} hangs below {Other}, which does not exist",
        TopologyDefectKind.MissingHostBridge => $"function {Subject} names host bridge {Other}, which does not exist",
        TopologyDefectKind.MissingHost => $"{Subject} names {Other}, which does not exist",
        TopologyDefectKind.MissingFunction => $"function {Subject} does not exist",
        TopologyDefectKind.Cycle => $"function {Subject} is an ancestor of itself",
        TopologyDefectKind.ParentIsNoBridge => $"function {Subject} hangs below {Other}, which is no bridge",
        TopologyDefectKind.HostBridgeDiffersFromParent =>
            $"function {Subject} names another host bridge than its parent: {Other}",
        TopologyDefectKind.TooDeep => $"function {Subject} is more than {Other} levels deep",
        TopologyDefectKind.PlaceChanged => $"function {Subject} cannot move to {Other} by an edit",
        _ => $"{Kind}: {Subject} {Other}",
    };
}
