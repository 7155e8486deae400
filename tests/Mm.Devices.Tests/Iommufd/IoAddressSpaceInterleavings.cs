using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using Mm.Testing.Interleavings;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>Maps, unmaps and pins of one range, in every order of their steps.</summary>
internal sealed class IoAddressSpaceInterleavings
{
    [Test]
    public void Map_AgainstUnmap_IsSeenWholeOrNotAtAll()
    {
        Exploration result = new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            IommufdRig rig = Rig(points);
            Errno unmapped = Errno.Ok;
            return new Scenario()
                .Actor("map", () => rig.MapAt(ApertureStart, 0, 2 * Page))
                .Actor("unmap", () => unmapped = rig.TryUnmap(ApertureStart, 2 * Page, out _))
                .Finally("it is gone, or was not there yet, or half made", () =>
                    unmapped == Errno.Ok || unmapped == Errno.ENOENT || unmapped == Errno.EBUSY)
                .Finally("pins are those of what is mapped", () => IsClean(rig, unmapped.IsOk ? 0 : 1));
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(3));
    }

    [Test]
    public void Copy_AgainstUnmapOfItsSource_KeepsThePagesOrIsRefused()
    {
        new Explorer { MaxInterruptions = 4 }.Explore(points =>
        {
            IommufdRig rig = Rig(points);
            rig.MapAt(ApertureStart, 0, 2 * Page);
            Errno copied = Errno.Ok;
            return new Scenario()
                .Actor("copy", () => copied = rig.Space.TryCopyAt(
                    new DmaAddr(ApertureStart + (8 * Page)), rig.Space, new DmaAddr(ApertureStart), new ByteCount(2 * Page), IoAccess.Read))
                .Actor("unmap", () => rig.Unmap(ApertureStart, 2 * Page))
                .Finally("the copy is there, or nothing is", () => copied.IsOk || copied == Errno.ENOENT)
                .Finally("pins are those of what is mapped", () => IsClean(rig, copied.IsOk ? 1 : 0));
        }).ThrowIfFailed();
    }

    /// <summary>An owner that keeps its pin under the lock that its callback takes: unmapping always ends, and leaves no pin.</summary>
    [Test]
    public void Pin_KeptUnderTheOwnersLock_NeverStopsAnUnmap() => Explore(isLocked: true).ThrowIfFailed();

    /// <summary>One that keeps it later may be told before it knows of the pin: unmapping gives up.</summary>
    [Test]
    public void Pin_KeptAfterwards_MayStopAnUnmap()
    {
        Exploration result = Explore(isLocked: false);

        Assert.That(result.Failure!.Message, Does.Contain("the unmap ended well"));
    }

    private static Exploration Explore(bool isLocked) => new Explorer { MaxInterruptions = 2 }.Explore(points =>
    {
        IommufdRig rig = Rig(points);
        var owner = new Owner(points, isLocked);
        SpaceAccess access = rig.Space.TryOpenAccess(owner, out SpaceAccess? opened).IsOk ? opened! : throw new InvalidOperationException();
        rig.MapAt(ApertureStart, 0, Page);
        Errno unmapped = Errno.Ok;
        return new Scenario()
            .Actor("pin", () => owner.Pin(access))
            .Actor("unmap", () => unmapped = rig.TryUnmap(ApertureStart, Page, out _))
            .Finally("the unmap ended well", () => unmapped.IsOk)
            .Finally("no pin is left", () => access.PinCount == 0 && IsClean(rig, 0));
    });

    private static IommufdRig Rig(IYieldPoints points) =>
        new(domains: 1, open: machine => new IommufdContext(machine) { Points = points });

    private static bool IsClean(IommufdRig rig, int pins)
    {
        rig.Context.Validate();
        bool isRight = rig.Buffer.CountPins(0) == pins;
        rig.Dispose();
        return isRight;
    }

    // As the kernel's test access: its lock is held from the pin to the list, and by the callback.
    private sealed class Owner(IYieldPoints points, bool isLocked) : ISpaceAccessOwner
    {
        private readonly List<AccessPin> pins = [];
        private bool isTaken;

        public void Pin(SpaceAccess access)
        {
            Take();
            Errno errno = access.TryPin(new DmaAddr(ApertureStart), new ByteCount(Page), isWrite: false, out AccessPin? pin);
            points.Reach("pinned");
            if (errno.IsOk)
            {
                pins.Add(pin!);
            }

            isTaken = false;
        }

        public void OnUnmap(IoRange range)
        {
            Take();
            pins.ForEach(pin => pin.Dispose());
            pins.Clear();
            isTaken = false;
        }

        private void Take()
        {
            if (isLocked)
            {
                points.WaitUntil("owner-lock", () => !isTaken);
                isTaken = true;
            }
        }
    }
}
