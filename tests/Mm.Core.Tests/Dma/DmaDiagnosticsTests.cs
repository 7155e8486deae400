using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class DmaDiagnosticsTests
{
    [Test]
    public void Report_Off_RecordsNothing()
    {
        using var rig = new DmaRig();
        DmaDiagnostics diagnostics = rig.Machine.Dma.Diagnostics;
        diagnostics.IsOn = false;
        diagnostics.Report(DmaDiagnosticKind.DoubleUnmap, rig.Client, "");
        Assert.That(diagnostics.Count, Is.Zero);
    }

    [Test]
    public void Report_ManyFindings_KeepsTheFirstAndCountsAll()
    {
        using var rig = new DmaRig();
        DmaDiagnostics diagnostics = rig.Machine.Dma.Diagnostics;
        for (int i = 0; i < 2000; i++)
        {
            diagnostics.Report(DmaDiagnosticKind.DoubleUnmap, rig.Client, "");
        }

        Assert.That((diagnostics.Collect().Count, diagnostics.Count), Is.EqualTo((1024, 2000)));
        diagnostics.Clear();
        Assert.That(diagnostics.Count, Is.Zero);
    }
}
