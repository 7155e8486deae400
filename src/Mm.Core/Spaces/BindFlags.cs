namespace Mm.Core.Spaces;

/// <summary>What is to become of pages that lie elsewhere when a policy is set.</summary>
/// <remarks><b>Linux:</b> MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL (v6.12).</remarks>
[Flags]
public enum BindFlags
{
    /// <summary>They stay.</summary>
    None = 0,

    /// <summary>A page that lies elsewhere, and stays there, is an error. <b>Linux:</b> MPOL_MF_STRICT.</summary>
    Strict = 1,

    /// <summary>Those that no other process maps are moved. <b>Linux:</b> MPOL_MF_MOVE.</summary>
    Move = 2,

    /// <summary>All are moved; for processes that may. <b>Linux:</b> MPOL_MF_MOVE_ALL.</summary>
    MoveAll = 4,
}
