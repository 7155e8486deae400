namespace Mm.Core.Spaces;

/// <summary>What a process may do in an <see cref="Area"/>.</summary>
/// <remarks><b>Linux:</b> VM_READ and VM_WRITE (v6.12); execution is out of scope.</remarks>
[Flags]
public enum AreaAccess
{
    /// <summary>Nothing. <b>Linux:</b> PROT_NONE.</summary>
    None = 0,

    /// <summary>Read.</summary>
    Read = 1,

    /// <summary>Write.</summary>
    Write = 2,

    /// <summary>Read and write.</summary>
    ReadWrite = 3,
}
