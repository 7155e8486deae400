namespace Mm.Hmm.Mirrors;

/// <summary>Where a page lies, as a device sees it.</summary>
/// <remarks><b>Linux:</b> the kinds of HMM_DMIRROR_PROT (lib/test_hmm_uapi.h, v6.12).</remarks>
public enum MirrorPlace
{
    /// <summary>Nothing that the device may use is there.</summary>
    Nowhere = 0,

    /// <summary>In system memory.</summary>
    System,

    /// <summary>The page of zeros.</summary>
    ZeroPage,

    /// <summary>In the device's own private memory.</summary>
    PrivateHere,

    /// <summary>In another device's private memory.</summary>
    PrivateElsewhere,

    /// <summary>In the device's own coherent memory.</summary>
    CoherentHere,

    /// <summary>In another device's coherent memory.</summary>
    CoherentElsewhere,
}
