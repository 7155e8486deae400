using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;
using static Mm.P2pDma.Tests.Routing.Machines;

namespace Mm.P2pDma.Tests.Routing;

public sealed class P2pMatrixTests
{
    [Test]
    public void Matrix_SomeFunctions_HoldsTheirPairsInOrder()
    {
        P2pMatrix matrix = new P2pRouter(Switch(Intel).Build()).Matrix([At("03:00.0"), At("05:00.0")]);

        Assert.That(matrix.Functions.Select(function => function.Address), Is.EqualTo(new[] { At("03:00.0"), At("05:00.0") }));
        Assert.That(matrix[0, 0].Kind, Is.EqualTo(P2pMapKind.BusAddress));
        Assert.That(matrix[0, 1].Kind, Is.EqualTo(P2pMapKind.NotSupported));
        Assert.That(() => matrix[0, 2], Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Matrix_FiveHundredFunctions_IsThereAndAgreesWithDecide()
    {
        var builder = new TopologyBuilder();
        builder.AddHost(Intel).AddHostBridge(new HostBridge { Bus = default });
        for (int port = 0; port < 20; port++)
        {
            builder.AddFunction(Root($"00:{port:x2}.0", "00", "8086:2030", PciPortType.RootPort));
            for (int device = 0; device < 24; device++)
            {
                builder.AddFunction(Below($"{port + 1:x2}:{device:x2}.0", $"00:{port:x2}.0", PciPortType.Endpoint));
            }
        }

        var router = new P2pRouter(builder.Build());
        P2pMatrix matrix = router.Matrix();

        Assert.That(matrix.Functions, Has.Count.EqualTo(500));
        Assert.That(matrix[1, 2], Is.EqualTo(router.Decide(matrix.Functions[1].Place, matrix.Functions[2].Place)));
        Assert.That(matrix[1, 499].Kind, Is.EqualTo(P2pMapKind.ThroughHostBridge));
    }
}
