namespace Mm.Core.Frames;

/// <summary>While it lasts, the thread's allocations are fit to be pinned: not from MOVABLE, not from what is lent out.</summary>
/// <remarks>
/// <b>Linux:</b> memalloc_pin_save and memalloc_pin_restore (include/linux/sched/mm.h, v6.12), as a lease.
/// <para><b>Locking:</b> belongs to the thread that entered. Scopes nest. <c>default</c> is no scope.</para>
/// </remarks>
public readonly ref struct PinScope : IDisposable
{
    private readonly FrameCpu? cpu;

    internal PinScope(FrameCpu cpu)
    {
        this.cpu = cpu;
        cpu.EnterPinScope();
    }

    /// <summary>Ends the scope.</summary>
    /// <exception cref="InvalidOperationException">A copy of it has ended it before.</exception>
    public void Dispose() => cpu?.LeavePinScope();
}
