namespace Mm.Devices;

/// <summary>Someone who holds things, and says so when asked.</summary>
/// <remarks>
/// <para><b>Linux:</b> no counterpart (v6.12): who holds a device is found there by reading each subsystem's counters.</para>
/// <para><b>Locking:</b> asked from any thread, with no lock held; the answer is of one moment for each source, not for all.</para>
/// </remarks>
public interface ILedgerSource
{
    /// <summary>Adds one entry for each thing that is held now; nothing at rest.</summary>
    /// <param name="entries">Where to add.</param>
    void Report(ICollection<LedgerEntry> entries);
}
