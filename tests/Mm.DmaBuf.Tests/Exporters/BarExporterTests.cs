using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma.Topologies;

namespace Mm.DmaBuf.Tests.Exporters;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BarExporterTests : IDisposable
{
    private readonly PeerRig rig = new();

    public void Dispose() => rig.Dispose();

    private static IEnumerable<TestCaseData> Refused()
    {
        yield return Case("no piece", 22);
        yield return Case("empty piece", 22, (0, 4096), (4096, 0));
        yield return Case("offset off the granule", 22, (512, 4096));
        yield return Case("length off the granule", 22, (0, 512));
        yield return Case("past the BAR", 22, (1UL << 50, 4096));
        yield return Case("end wraps", 75, (0xffff_ffff_ffff_f000, 4096 * 2));
        yield return Case("sum wraps", 75, (4096, 4096), (0, 0xffff_ffff_ffff_f000));
    }

    [TestCaseSource(nameof(Refused))]
    public void Export_OfIllegalPieces_IsRefused((ulong Offset, ulong Length)[] pieces, int expected)
    {
        Assert.That(Export(out _, 1, [.. pieces.Select(piece => PeerRig.Piece(piece.Offset, piece.Length))]).Number, Is.EqualTo(expected));
        Assert.That(rig.System.Buffers.Count, Is.Zero);
    }

    [Test]
    public void Export_OfNoFunctionOrBar_IsRefused()
    {
        var exporter = new BarExporter(rig.System.Buffers, rig.Pci);
        BarRange[] pieces = [PeerRig.Piece(0, 4096)];
        Assert.That(exporter.TryExport(PciAddress.Parse("0000:77:00.0"), 0, pieces, out _, out _), Is.EqualTo(Errno.ENODEV));
        Assert.That(exporter.TryExport(PeerRig.Gpu, 5, pieces, out _, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void Export_FailedAtEachAllocation_LeavesNothing()
    {
        for (ulong nth = 1; nth <= 3; nth++)
        {
            rig.Machine.Faults.FailNth(FaultPoint.Slab, nth);
            Assert.That(Export(out BufferHandle? handle, 1, PeerRig.Piece(0, 4096)), Is.EqualTo(Errno.ENOMEM), $"{nth}");
            rig.Machine.Faults.Clear();
            Assert.That((handle, rig.System.Buffers.Count), Is.EqualTo(((BufferHandle?)null, 0)));
        }
    }

    [Test]
    public void Export_WhileTheDeviceIsOff_StartsRevoked()
    {
        new BarExporter(rig.System.Buffers, rig.Pci)
            .TryExport(PeerRig.Gpu, 1, [PeerRig.Piece(0, 4096)], out BarBuffer? buffer, out BufferHandle? handle, isRevoked: true).ThrowIfError();
        using (handle)
        {
            Assert.That((buffer!.IsRevoked, buffer.TryRestore(), buffer.IsRevoked), Is.EqualTo((true, Errno.Ok, false)));
        }
    }

    private static TestCaseData Case(string name, int expected, params (ulong Offset, ulong Length)[] pieces) =>
        new TestCaseData(pieces, expected).SetArgDisplayNames(name);

    private Errno Export(out BufferHandle? handle, int bar, params BarRange[] pieces) =>
        new BarExporter(rig.System.Buffers, rig.Pci).TryExport(PeerRig.Gpu, bar, pieces, out _, out handle);
}
