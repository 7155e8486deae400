using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

public sealed class AreaOperationsContractTests
{
    [Test]
    public void Require_OfOwnersThatKeepIt_IsSilent()
    {
        using var rig = new SpaceRig();
        using var pages = new PageOwner(rig.Machine);
        using var lazy = new PageOwner(rig.Machine, fillsAtOnce: false);
        var frames = new FrameOwner(rig.Machine);
        AreaOperationsContract.Require(rig.Space, pages.Backing, new PageCount(4));
        AreaOperationsContract.Require(rig.Space, lazy.Backing, new PageCount(4));
        AreaOperationsContract.Require(rig.Space, frames.Backing, new PageCount(FrameOwner.Pages));
        Assert.That(frames.Opens, Is.Zero);
    }

    [Test] // museum 23
    public void Require_OfAHandlerThatTakesTheSizeForAnOffset_Throws() => AssertBroken(new Liar(rejectsFrom: 3), "behind the end");

    [Test]
    public void Require_OfAHandlerThatMissesItsLastPage_Throws() => AssertBroken(new Liar(rejectsFrom: 1), "page 1 of");

    [Test]
    public void Require_OfOneThatCannotBeMapped_Throws() => AssertBroken(new Liar(rejectsFrom: 2) { Refuses = Errno.ENODEV }, "ENODEV");

    private static void AssertBroken(Liar liar, string says)
    {
        using var rig = new SpaceRig();
        var window = new PhysRange(new PhysAddr(6UL << 30), new ByteCount(8 * SpaceRig.Page));
        rig.Machine.TryAddDeviceWindow("window", window, out _).ThrowIfError();
        liar.First = window.Start.Pfn;
        var backing = new AreaBacking(AreaKind.DeviceMemory, liar);
        Assert.That(
            () => AreaOperationsContract.Require(rig.Space, backing, new PageCount(2)), Throws.ArgumentException.With.Message.Contains(says));
    }

    // Has two pages, and may think otherwise.
    private sealed class Liar(ulong rejectsFrom) : IAreaOperations
    {
        internal Pfn First { get; set; }

        internal Errno Refuses { get; init; }

        public Errno TryMap(AreaFilling filling) => Refuses;

        public FaultResult Fault(AreaFilling filling, AreaFault fault) => fault.Offset.Value < rejectsFrom
            ? filling.InsertFrame(fault.Address, new Pfn(First.Value + fault.Offset.Value))
            : FaultResult.BusError;
    }
}
