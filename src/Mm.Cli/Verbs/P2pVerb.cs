using System.CommandLine;
using Mm.Cli.Pictures;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Verbs;

/// <summary><c>mm p2p</c>: what can reach what by peer-to-peer DMA, by which path, and why not.</summary>
internal static class P2pVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CliContext context) =>
        new("p2p", "Ask what a kernel says about peer-to-peer DMA on a machine.")
        {
            CreateCheck(context),
            CreateMatrix(context),
        };

    private static Command CreateCheck(CliContext context)
    {
        var machine = new MachineOptions(context);
        var provider = new Argument<string>("PROVIDER") { Description = "Whose memory: an address as 0000:3b:00.0, or a name as nvme0n1." };
        var clients = new Argument<string[]>("CLIENT")
        {
            Description = "Who does the DMA; all of them must reach the provider.",
            Arity = ArgumentArity.OneOrMore,
        };
        var isJson = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command(
            "check", "May CLIENTs reach PROVIDER's memory, by which path, and if not, why? Exit 1 when one cannot.");
        machine.AddTo(command);
        command.Add(provider);
        command.Add(clients);
        command.Add(isJson);
        command.SetAction(parsed =>
        {
            P2pRouter router = machine.Open(parsed);
            TopologySnapshot snapshot = router.Topology.Snapshot;
            PciPlace owner = MachineOptions.Find(snapshot, parsed.GetRequiredValue(provider)).Place;
            PciPlace[] users = [.. parsed.GetRequiredValue(clients).Select(text => MachineOptions.Find(snapshot, text).Place)];
            var answer = new P2pAnswer(router, owner, users);
            if (parsed.GetValue(isJson))
            {
                answer.WriteJson(context.Output);
            }
            else
            {
                answer.Print(context.Output);
            }

            return answer.Distance.IsSupported ? ExitCode.Ok : ExitCode.Found;
        });
        return command;
    }

    private static Command CreateMatrix(CliContext context)
    {
        var machine = new MachineOptions(context);
        var all = new Option<bool>("--all") { Description = "Every endpoint, not only GPUs, NICs and NVMe drives." };
        var isJson = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command("matrix", "The kernel's distance and map type for every provider and client.");
        machine.AddTo(command);
        command.Add(all);
        command.Add(isJson);
        command.SetAction(parsed =>
        {
            var picture = new P2pMatrixPicture(machine.Open(parsed), parsed.GetValue(all));
            if (parsed.GetValue(isJson))
            {
                picture.WriteJson(context.Output);
            }
            else
            {
                picture.Draw(context.Output);
            }

            return ExitCode.Ok;
        });
        return command;
    }
}
