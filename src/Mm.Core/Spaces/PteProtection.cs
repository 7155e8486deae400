namespace Mm.Core.Spaces;

/// <summary>What the CPU may do through a present entry.</summary>
/// <remarks><b>Linux:</b> the hardware part of pgprot_t (v6.12); execution is out of scope.</remarks>
internal enum PteProtection
{
    /// <summary>Nothing: the frame stays mapped, but every access faults. <b>Linux:</b> PAGE_NONE.</summary>
    None = 0,

    /// <summary>Read.</summary>
    Read = 1,

    /// <summary>Read and write.</summary>
    ReadWrite = 2,
}
