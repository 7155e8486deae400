using Mm.Core;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Nics.Queues;

/// <summary>A memory provider that is bound to receive queues, and outlives neither its memory nor their card unawares.</summary>
/// <remarks>
/// <b>Linux:</b> struct pp_memory_provider_params of a queue, with the uninstall operation of newer kernels (v6.15).
/// <para><b>Locking:</b> <see cref="DeviceGone"/> and <see cref="OnBound"/> are called with the card's control lock held, no queue's.</para>
/// </remarks>
public interface IQueueProvider : IMemoryProvider
{
    /// <summary>Whether nobody needs it any more, and it holds nothing.</summary>
    bool IsFreed { get; }

    /// <summary>Whether its addresses are good. Asked with a queue's gate held; who makes it untrue waits for that gate.</summary>
    bool IsReady { get; }

    /// <summary>The memory is to be used now: make its addresses good where it has moved.</summary>
    /// <returns><see cref="Errno.ENODEV"/>: it is taken away, maybe for a while; what mapping it anew is refused with.</returns>
    Errno TryReady();

    /// <summary>A queue uses it from here on, or does not any more.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="isBound">Which of the two.</param>
    void OnBound(ReceiveQueue queue, bool isBound);

    /// <summary>Adds what it holds to a ledger.</summary>
    /// <param name="prefix">What each holder's name begins with.</param>
    /// <param name="entries">Where to add.</param>
    void Report(string prefix, ICollection<LedgerEntry> entries);

    /// <summary>The card is removed: nothing of the memory may be mapped for it on return, whoever still uses the memory.</summary>
    void DeviceGone();
}
