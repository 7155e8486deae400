namespace Mm.Core.Spaces;

/// <summary>Where a page lies, or why nobody can say or it was not moved.</summary>
/// <remarks>
/// <b>Linux:</b> an element of move_pages' status array (mm/migrate.c, v6.12): a node, or an errno.
/// <para><c>default</c> is what nobody has written, as the array is left where the call stops early. Immutable.</para>
/// </remarks>
public readonly record struct PageMoveStatus
{
    private readonly short nodePlusOne;

    private PageMoveStatus(int nodePlusOne, Errno errno)
    {
        this.nodePlusOne = (short)nodePlusOne;
        Errno = errno;
    }

    /// <summary>The node that the page lies on; <see cref="NodeId.None"/> if it has none.</summary>
    public NodeId Node => nodePlusOne == 0 ? NodeId.None : new NodeId(nodePlusOne - 1);

    /// <summary>
    /// Ok with a node, or unwritten. ENOENT: no page, or one of a device's memory. EFAULT: no area that pages can be moved in, or the page
    /// of zeros. EACCES: another process maps it too. EBUSY: somebody else has it off the reclaim list.
    /// </summary>
    public Errno Errno { get; }

    /// <summary>Whether it was written.</summary>
    public bool IsWritten => nodePlusOne != 0 || !Errno.IsOk;

    /// <summary>A page that lies on a node.</summary>
    /// <param name="node">The node.</param>
    /// <returns>The status.</returns>
    internal static PageMoveStatus On(NodeId node) => new(node.Index + 1, Errno.Ok);

    /// <summary>A page that does not, and why.</summary>
    /// <param name="errno">Why.</param>
    /// <returns>The status.</returns>
    internal static PageMoveStatus Refused(Errno errno) => new(0, errno);

    /// <summary>The node or the errno.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => nodePlusOne != 0 ? $"{Node}" : IsWritten ? $"{Errno}" : "unwritten";
}
