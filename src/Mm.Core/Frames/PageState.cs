namespace Mm.Core.Frames;

/// <summary>Who answers for a frame: the band that its count word is in.</summary>
/// <remarks>
/// <b>States:</b> Blank → Free → InUse ⇄ Frozen → PerCpu → InUse or Free. A device's page: Blank or DeviceIdle ⇄ InUse,
/// through Frozen on its way back.
/// <para><b>Linux:</b> no single symbol: PageBuddy, the page's place on a per-cpu list, and the value of _refcount
/// (include/linux/mm_types.h, v6.12) together say this. Here it is one field of one word.</para>
/// <para><c>default</c> is <see cref="Blank"/>, so that zeroed metadata means something legal.</para>
/// </remarks>
public enum PageState
{
    /// <summary>Never touched, or inside a larger block whose first frame answers for it. References: 0.</summary>
    Blank = 0,

    /// <summary>First frame of a free block of the buddy allocator. References: 0.</summary>
    Free = 1,

    /// <summary>On a processor's stack of free pages. References: 0.</summary>
    PerCpu = 2,

    /// <summary>Handed out. References: 1 or more.</summary>
    InUse = 3,

    /// <summary>One owner changes or frees it and nobody else may take a reference. References: 0.</summary>
    Frozen = 4,

    /// <summary>A device's page that its driver keeps free. References: 0.</summary>
    DeviceIdle = 5,
}
