using Mm.Devices.Iommufd;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>Keeps pins, and lets those go that an unmap touches, as the kernel's test access does.</summary>
internal sealed class PinKeeper : ISpaceAccessOwner
{
    private readonly List<AccessPin> pins = [];

    public int Count => pins.Count;

    /// <summary>Whether it ignores what it is told.</summary>
    public bool IsDeaf { get; set; }

    public int Told { get; private set; }

    public AccessPin Keep(AccessPin? pin)
    {
        pins.Add(pin!);
        return pin!;
    }

    public void Drop(AccessPin pin)
    {
        pin.Dispose();
        _ = pins.Remove(pin);
    }

    public void OnUnmap(IoRange range)
    {
        Told++;
        if (IsDeaf)
        {
            return;
        }

        foreach (AccessPin pin in pins.FindAll(pin => pin.Range.Overlaps(range)))
        {
            Drop(pin);
        }
    }
}
