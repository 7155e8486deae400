namespace Mm.Core.Spaces;

/// <summary>What a fault is to achieve.</summary>
/// <remarks><b>Linux:</b> enum fault_flag (v6.12), as far as it changes what happens.</remarks>
[Flags]
internal enum FaultFlags
{
    /// <summary>The page is to be readable.</summary>
    None = 0,

    /// <summary>And writable. <b>Linux:</b> FAULT_FLAG_WRITE.</summary>
    Write = 1,

    /// <summary>Its anonymous page is to belong to this process alone, without becoming writable. <b>Linux:</b> FAULT_FLAG_UNSHARE.</summary>
    Unshare = 2,
}
