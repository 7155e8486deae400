namespace Mm.Core.Spaces;

/// <summary>Where a new area may come to lie.</summary>
/// <remarks><b>Linux:</b> MAP_FIXED and MAP_FIXED_NOREPLACE (v6.12).</remarks>
public enum AreaPlacement
{
    /// <summary>At the address asked for if that is free, or else as high as there is room.</summary>
    Anywhere = 0,

    /// <summary>Exactly there, in place of what was there.</summary>
    Fixed = 1,

    /// <summary>Exactly there, if nothing is there.</summary>
    FixedNoReplace = 2,
}
