namespace Mm.Core.PhysRanges;

/// <summary>Why a bio takes no bytes of a page. Linux answers 0 bytes in every case; the reason is Mm's.</summary>
public enum BioRefusal
{
    /// <summary>The bytes were taken.</summary>
    None = 0,

    /// <summary>All segments are in use, and the bytes do not merge with the last one. <b>Linux:</b> bi_vcnt at bi_max_vecs.</summary>
    Full = 1,

    /// <summary>The bio would have 4 GiB or more. <b>Linux:</b> bi_size at UINT_MAX.</summary>
    TooLarge = 2,

    /// <summary>Peer memory of one page map shares a bio with nothing else. <b>Linux:</b> zone_device_pages_compatible().</summary>
    MixedOwners = 3,

    /// <summary>The bytes have no page descriptors, so no bio can name them; or they are not all of one owner.</summary>
    NoPage = 4,
}
