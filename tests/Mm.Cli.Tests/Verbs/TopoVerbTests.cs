using System.Text.Json;
using Mm.P2pDma.Machines;

namespace Mm.Cli.Tests.Verbs;

[TestFixture]
internal sealed class TopoVerbTests
{
    [Test]
    public void List_Always_NamesEveryBuiltInMachine()
    {
        string[] lines = ToolRun.Of("topo", "list").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(lines.Select(line => line.Split(' ')[0]), Is.EqualTo(BuiltInMachines.Names));
    }

    [Test]
    public void Show_OfABuiltInMachine_CountsAndDraws()
    {
        ToolRun run = ToolRun.Of("topo", "show", "two-switch");
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Output, Does.StartWith("2 host bridges, 9 bridges, 6 PCI functions, 2 GPUs, 2 NICs, 1 NVMe"));
    }

    [Test]
    public void Show_AsJson_IsAMachineFileThatStandardInputTakesBack()
    {
        string file = ToolRun.Of("topo", "show", "two-switch", "--json").Output;
        ToolRun again = ToolRun.WithInput(file, "topo", "show", "-", "--json");
        Assert.That((again.ExitCode, again.Output), Is.EqualTo((0, file)));
    }

    [Test]
    public void Import_ToAFile_WritesItWholeAndSumsUp()
    {
        string folder = Directory.CreateTempSubdirectory("mm-topo-").FullName;
        try
        {
            string path = Path.Combine(folder, "out.json");
            ToolRun run = ToolRun.Of("topo", "import", "nvme-cmb", "-o", path);
            Assert.That((run.ExitCode, run.Output), Is.EqualTo((0, ToolRun.Of("topo", "show", "nvme-cmb").Output.Split('\n')[0] + "\n")));
            Assert.That(File.ReadAllText(path), Is.EqualTo(ToolRun.Of("topo", "show", "nvme-cmb", "--json").Output));
            Assert.That(Directory.GetFiles(folder), Is.EqualTo(new[] { path }), "no partial file is left");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Import_ToAnImpossiblePlace_ExitsWith2()
    {
        ToolRun run = ToolRun.Of("topo", "import", "two-switch", "-o", "/nonexistent-folder/x.json");
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain("/nonexistent-folder/x.json"));
    }

    [Test]
    public void Machine_ThatIsNoFile_ExitsWith2AndNamesIt()
    {
        ToolRun run = ToolRun.Of("topo", "show", "no-such-machine");
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain("no-such-machine").And.Contain("two-switch"));
    }

    [Test]
    public void Machine_ThatIsMalformed_ExitsWith2AndGivesTheLine()
    {
        ToolRun run = ToolRun.WithInput("{ \"format\": \"mm-machine\",\n  \"version\": 7 }", "topo", "show", "-");
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Match(@"-:2:\d+: "));
    }

    [Test]
    public void Matrix_OfDevices_IsShapedAsNvidiaSmi()
    {
        string[] lines = ToolRun.Of("topo", "matrix", "two-switch").Output.Split('\n');
        Assert.That(lines[0], Is.EqualTo("\tGPU0\tGPU1\tNIC0\tNIC1\tCPU Affinity\tNUMA Affinity"));
        Assert.That(lines[1], Is.EqualTo("GPU0\t X \tPHB\tPIX\tSYS\tN/A\t0"));
        Assert.That(lines[3], Is.EqualTo("NIC0\tPIX\tPHB\t X \tSYS\t\t"));
        Assert.That(lines, Does.Contain("  NIC0: mlx5_0"));
    }

    [Test]
    public void Matrix_AsJson_HoldsTheSameRelations()
    {
        using var json = JsonDocument.Parse(ToolRun.Of("topo", "matrix", "two-switch", "--json").Output);
        JsonElement first = json.RootElement.GetProperty("devices")[0];
        Assert.That(first.GetProperty("relations")[2].GetString(), Is.EqualTo("PIX"));
    }
}
