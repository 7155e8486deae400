namespace Mm.Devices;

/// <summary>Where a model device is in its life.</summary>
/// <remarks><b>Linux:</b> a bound driver, and pci_dev_is_disconnected (v6.12).</remarks>
public enum DeviceState
{
    /// <summary>It works.</summary>
    Working = 0,

    /// <summary>It was removed: every call is refused with ENODEV, and nothing of it is reached any more.</summary>
    Removed = 1,
}
