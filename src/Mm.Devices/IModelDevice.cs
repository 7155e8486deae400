using Mm.Core;

namespace Mm.Devices;

/// <summary>A model device with a driver: what can happen to every one of them at any time.</summary>
/// <remarks>
/// <para><b>Linux:</b> struct pci_driver's remove and reset_prepare with reset_done (v6.12).</para>
/// <para><b>States:</b> working → removed. A reset leaves it working, with everything that was in flight ended by an error.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public interface IModelDevice : ILedgerSource, IDisposable
{
    /// <summary>What ledgers and messages call it.</summary>
    string Name { get; }

    /// <summary>Which device of the machine it is.</summary>
    DeviceId Id { get; }

    /// <summary>Whether it is there.</summary>
    DeviceState State { get; }

    /// <summary>Resets it: work in flight ends with an error, what was shared is revoked, users may start again. Nothing when removed.</summary>
    void Reset();

    /// <summary>Takes it out while in use: users get errors, mappings of it are gone on return, late returns are taken. Twice does nothing.</summary>
    void Remove();
}
