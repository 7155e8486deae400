using Mm.Core;

namespace Mm.Devices.Iommufd;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class UserBuffer
{
    /// <summary>
    /// Whether pinning the zero page counts while unpinning it does not, as in Linux before "vfio/type1: Unpin zero pages"
    /// (2022): its count grows until it overflows.
    /// </summary>
    internal bool CountsZeroPagePins { get; init; }

    /// <summary>How many references the zero page has; 0 while nobody read it.</summary>
    internal uint ZeroPageReferences
    {
        get
        {
            lock (gate)
            {
                return zeroPage.IsEmpty ? 0 : machine.Frames.Describe(zeroPage.Page).References;
            }
        }
    }

    private Errno TryHoldZeroPage(out UserPin pin)
    {
        pin = UserPin.OfZeroPage(zeroPage.Page);
        return CountsZeroPagePins ? zeroPage.TryPin(out _) : Errno.Ok;
    }
}
