using System.Diagnostics;
using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Lspci;

public sealed class LspciHexWriterTests
{
    private static Topology Sample =>
        MachineImport.Open(SharedFiles.Fixture("lspci-acs.txt")).Topology ?? throw new AssertionException("the fixture does not import");

    private static string Write(Topology topology)
    {
        using var output = new StringWriter();
        Assert.That(LspciHexWriter.Write(topology.Snapshot, output), Is.Empty);
        return output.ToString();
    }

    private static Topology Read(string text)
    {
        ImportResult result = new LspciImporter().Import(TestText.Utf8(text), "dump", ImportLimits.Default);
        Assert.That(result.Errors, Is.Empty);
        return result.Topology!;
    }

    // What bytes can say of a function, and nothing else.
    private static PciFunction Sayable(PciFunction function) => function with
    {
        Label = null,
        Node = NodeId.None,
        IommuGroup = null,
        OsDevices = [],
        Bars = [],
        SubsystemId = function.CanHaveChildren ? null : function.SubsystemId,
        Link = function.PortType == PciPortType.Unknown ? default : function.Link,
    };

    private static string[] Bars(PciFunction function) =>
        [.. function.Bars.Where(bar => bar.Address is not null).Select(bar => $"{bar.Index} {bar.Address} {bar.Flags}")];

    [Test]
    public void Write_Sample_EqualsTheFixture() =>
        Assert.That(Write(Sample), Is.EqualTo(File.ReadAllText(SharedFiles.Fixture("lspci-xxxx.txt")).ReplaceLineEndings("\n")));

    [Test]
    public void Write_ThenRead_GivesWhatBytesCanSay()
    {
        Topology original = Sample;
        Topology back = Read(Write(original));

        Assert.Multiple(() =>
        {
            foreach (PciFunction function in original.Snapshot.Functions)
            {
                Assert.That(back.Snapshot.TryFind(function.Place, out PciFunction? read), Is.True);
                Assert.That(Describe(Sayable(read!)), Is.EqualTo(Describe(Sayable(function))));
                Assert.That(Bars(read!), Is.EqualTo(Bars(function)));
            }

            Assert.That(back.Snapshot.Functions, Has.Count.EqualTo(original.Snapshot.Functions.Count));
            Assert.That(back.Snapshot.HostBridges.Select(b => b.ToString()), Is.EqualTo(original.Snapshot.HostBridges.Select(b => b.ToString())));
        });
    }

    [Test]
    public void Write_Twice_IsTheSame() => Assert.That(Write(Read(Write(Sample))), Is.EqualTo(Write(Sample)));

    [Test]
    public void Write_MadeUpSwitch_IsReportedAsUnplaced()
    {
        var builder = new TopologyBuilder();
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0x10) });
        builder.AddFunction(new PciFunction
        {
            Address = PciAddress.Parse("ffff:ff:01.0"),
            HostBridge = new PciBusId(0, 0x10),
            PortType = PciPortType.VirtualSwitch,
            Class = PciClass.PciBridge,
        });
        builder.AddFunction(new PciFunction { Address = PciAddress.Parse("11:00.0"), Parent = PciAddress.Parse("ffff:ff:01.0") });
        using var output = new StringWriter();

        IReadOnlyList<PciPlace> unplaced = LspciHexWriter.Write(builder.Build().Snapshot, output);

        Assert.Multiple(() =>
        {
            Assert.That(unplaced.Select(place => place.ToString()), Is.EqualTo(new[] { "0000:11:00.0" }));
            Assert.That(Read(output.ToString()).Snapshot.Functions, Has.Count.EqualTo(2));
        });
    }

    [Test]
    public void Write_BridgeThatTellsNoBuses_GetsThoseOfItsChildren()
    {
        var builder = new TopologyBuilder();
        builder.AddHostBridge(new HostBridge { Bus = new PciBusId(0, 0) });
        builder.AddFunction(new PciFunction { Address = PciAddress.Parse("00:01.0"), HostBridge = new PciBusId(0, 0), PortType = PciPortType.RootPort });
        builder.AddFunction(new PciFunction { Address = PciAddress.Parse("02:00.0"), Parent = PciAddress.Parse("00:01.0"), PortType = PciPortType.SwitchUpstream });
        builder.AddFunction(new PciFunction { Address = PciAddress.Parse("07:00.0"), Parent = PciAddress.Parse("02:00.0"), PortType = PciPortType.Endpoint });

        TopologySnapshot back = Read(Write(builder.Build())).Snapshot;

        Assert.That(back.Functions.Select(f => $"{f.Address} {f.BusesBelow} {f.Parent}"), Is.EqualTo(new[]
        {
            "0000:00:01.0 [02, 08) ",
            "0000:02:00.0 [07, 08) 0000:00:01.0",
            "0000:07:00.0  0000:02:00.0",
        }));
    }

    // Another program's reading, where it is installed: the same functions, each at the same place.
    [Test]
    public void Write_Sample_IsWhatLspciReads()
    {
        string dump = Path.Combine(Path.GetTempPath(), $"mm-{Guid.NewGuid():n}.txt");
        File.WriteAllText(dump, Write(Sample));
        try
        {
            var start = new ProcessStartInfo("lspci", ["-F", dump, "-t"]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            string tree = process.StandardOutput.ReadToEnd();
            process.WaitForExit();

            Assert.That(tree, Does.Contain("01.1-[01-04]----00.0-[02-04]--+-00.0-[03]----00.0").And.Contain("01.0-[04]----00.0").And.Contain("03.0-[41]----00.0"));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Ignore("lspci is not installed: nobody else reads the dump");
        }
        finally
        {
            File.Delete(dump);
        }
    }

    private static string Describe(PciFunction f) =>
        $"{f.Address} {f.Parent} {f.HostBridge} {f.Id} {f.SubsystemId} {f.Class} {f.PortType} {f.Acs} {f.Link} {f.BusesBelow}";
}
