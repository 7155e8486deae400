using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

public sealed class KernelVerdictCacheTests
{
    [Test]
    public void MapKindFor_AcsChangedAfterTheFirstQuestion_IsStaleUntilADistanceIsAsked()
    {
        Topology topology = Switch(Intel).Build();
        var router = new P2pRouter(topology);
        var kernel = new KernelVerdictCache(router, At("03:00.0"));
        Assert.That(kernel.MapKindFor(At("04:00.0")), Is.EqualTo(P2pMapKind.BusAddress));

        Assert.That(topology.TrySetAcs(At("02:00.0"), AcsControl.Of(AcsBits.RequestRedirect), out _), Is.EqualTo(Errno.Ok));

        Assert.That(kernel.MapKindFor(At("04:00.0")), Is.EqualTo(P2pMapKind.BusAddress), "the kernel's hole");
        Assert.That(router.Decide(At("03:00.0"), At("04:00.0")).Kind, Is.EqualTo(P2pMapKind.NotSupported), "Mm asks again");
        Assert.That(kernel.Distance(At("04:00.0")).IsSupported, Is.False);
        Assert.That(kernel.MapKindFor(At("04:00.0")), Is.EqualTo(P2pMapKind.NotSupported), "the distance refreshed it");
    }
}
