namespace Mm.Core.Notifiers;

/// <summary>Which calls an <see cref="IMmuNotifier"/> wants.</summary>
/// <remarks><b>Linux:</b> which members of struct mmu_notifier_ops are not null (v6.12).</remarks>
[Flags]
public enum MmuNotifierOps
{
    /// <summary>None but the end of the address space.</summary>
    None = 0,

    /// <summary>The start of each invalidation.</summary>
    Start = 1,

    /// <summary>The end of each invalidation.</summary>
    End = 2,

    /// <summary>Each flush of the CPU's own translations; excludes the other two.</summary>
    SecondaryTlb = 4,
}
