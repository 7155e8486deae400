using System.Text.Json;

namespace Mm.Cli.Tests.Verbs;

[TestFixture]
internal sealed class P2pVerbTests
{
    private const string Gpu = "0000:03:00.0";
    private const string RedirectedGpu = "0000:07:00.0";
    private const string DirectNic = "0000:04:00.0";
    private const string Drive = "0000:08:00.0";
    private const string FarNic = "0000:81:00.0";

    [Test]
    public void Check_OfADirectPair_SaysWhyAndWhere()
    {
        ToolRun run = ToolRun.Of("p2p", "check", "two-switch", Gpu, DirectNic);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Output, Does.StartWith($"{DirectNic} -> {Gpu}: bus address, 4 hops (PIX)"));
        Assert.That(run.Output, Does.Contain("BAR 1: 32 GiB, bus address 0x380000000000").And.Contain("distance 4 under Linux 6.12"));
        Assert.That(run.Output, Does.Not.Contain("setpci"));
    }

    [Test]
    public void Check_OfARefusedPair_ExitsWith1AndNamesTheRule()
    {
        ToolRun run = ToolRun.Of("p2p", "check", "two-switch", Gpu, DirectNic, FarNic);
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Output, Does.Contain("8086:3c04 is not in the allow list"));
        Assert.That(run.Output, Does.Contain($"distance -1: {FarNic} cannot reach the provider"));
        Assert.That(run.Output, Does.Contain("no setting of ACS makes this direct"));
    }

    [Test]
    public void Check_OfARedirectedPair_PrintsTheLinesThatHelp_AndTheyHelp()
    {
        string output = ToolRun.Of("p2p", "check", "two-switch", RedirectedGpu, Drive).Output;
        Assert.That(output, Does.Contain("setpci -s 0000:06:00.0 ECAP_ACS+6.w=0011").And.Contain("0000:06:01.0"));
        ToolRun after = ToolRun.Of(
            "p2p", "check", "two-switch", RedirectedGpu, Drive, "--set-acs", "0000:06:00.0=0x11", "--set-acs", "0000:06:01.0=0x11");
        Assert.That(after.Output, Does.StartWith($"{Drive} -> {RedirectedGpu}: bus address, 4 hops"));
    }

    [Test]
    public void Check_ByNames_IsTheSameAsByAddresses() =>
        Assert.That(
            ToolRun.Of("p2p", "check", "two-switch", "nvme0n1", "mlx5_0"),
            Is.EqualTo(ToolRun.Of("p2p", "check", "two-switch", Drive, DirectNic)));

    [Test]
    public void Check_WithAnotherCpu_AsksItsRule()
    {
        ToolRun run = ToolRun.Of("p2p", "check", "two-switch", Gpu, FarNic, "--cpu", "amd-0x19");
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((0, run.Output)));
        Assert.That(run.Output, Does.Contain("through host bridge"));
    }

    [Test]
    public void Check_AsJson_HoldsVerdictAndReason()
    {
        ToolRun run = ToolRun.Of("p2p", "check", "two-switch", Gpu, FarNic, "--json");
        using var json = JsonDocument.Parse(run.Output);
        JsonElement route = json.RootElement.GetProperty("routes")[0];
        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(route.GetProperty("map").GetString(), Is.EqualTo("NotSupported"));
        Assert.That(route.GetProperty("reason").GetString(), Is.EqualTo("RootRefused"));
        Assert.That(json.RootElement.GetProperty("distance").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [TestCase("9999:00:00.0", "does not exist")]
    [TestCase("gpu17", "neither an address")]
    public void Check_OfNobody_ExitsWith2(string client, string why)
    {
        ToolRun run = ToolRun.Of("p2p", "check", "two-switch", Gpu, client);
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain(why).And.Contain(client));
    }

    [TestCase("--set-acs", "0000:06:00.0")]
    [TestCase("--set-acs", "0000:06:00.0=0x10000")]
    [TestCase("--set-acs", "0000:06:00.0=loud")]
    [TestCase("--cpu", "amd")]
    [TestCase("--cpu", "zilog-80")]
    [TestCase("--cpu", "7-7")]
    [TestCase("--linux", "new")]
    public void Option_WithAWrongValue_ExitsWith2AndGivesTheLegalOnes(string option, string value)
    {
        ToolRun run = ToolRun.Of("p2p", "matrix", "two-switch", option, value);
        Assert.That((run.ExitCode, run.Output), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.StartWith($"mm: {option} {value}: expected "));
    }

    [Test]
    public void Matrix_OfPeers_GivesKindAndHops()
    {
        string[] lines = ToolRun.Of("p2p", "matrix", "two-switch").Output.Split('\n');
        string[] row = lines[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.That(row, Is.EqualTo(new[] { "#0", Gpu, "card0", "B0", "B4", "H8", "H8", "-" }));
    }

    [Test]
    public void Matrix_UnderANewerKernel_SaysSo() =>
        Assert.That(ToolRun.Of("p2p", "matrix", "two-switch", "--linux", "6.19").Output, Does.Contain("Rules: Linux 6.19."));

    [Test]
    public void Matrix_OfAll_HasEveryEndpoint()
    {
        using var json = JsonDocument.Parse(ToolRun.Of("p2p", "matrix", "two-switch", "--all", "--json").Output);
        Assert.That(json.RootElement.GetProperty("rows").GetArrayLength(), Is.EqualTo(6));
    }
}
