using System.CommandLine;
using Mm.Cli.Pictures;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Verbs;

/// <summary><c>mm topo</c>: what a machine is made of.</summary>
internal static class TopoVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CliContext context) =>
        new("topo", "Show, draw and convert machines.")
        {
            CreateList(context),
            CreateShow(context),
            CreateMatrix(context),
            CreateImport(context),
        };

    private static Command CreateList(CliContext context)
    {
        var command = new Command("list", "List the built-in machines.");
        command.SetAction(parsed =>
        {
            foreach (string name in BuiltInMachines.Names)
            {
                _ = BuiltInMachines.TryGet(name, out Topology? topology);
                context.Output.WriteLine($"{name,-14}{MachineSummary.Of(topology!.Snapshot)}");
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static Command CreateShow(CliContext context)
    {
        var machine = new MachineOptions(context);
        var isTree = new Option<bool>("--tree", "-t") { Description = "The tree alone, as lspci -t." };
        var isDetailed = new Option<bool>("--detail", "-v") { Description = "Say what is known of each function." };
        var isMatrix = new Option<bool>("--matrix", "-m") { Description = "The matrix instead, as 'mm topo matrix'." };
        var isJson = new Option<bool>("--json") { Description = "The machine file instead." };
        var isHex = new Option<bool>("--hex", "-x") { Description = "A dump as lspci -xxxx prints it, which lspci -F reads." };
        var command = new Command("show", "Draw a machine's PCI tree, as lspci -t does.");
        machine.AddTo(command);
        command.Add(isTree);
        command.Add(isDetailed);
        command.Add(isMatrix);
        command.Add(isJson);
        command.Add(isHex);
        command.SetAction(parsed =>
        {
            P2pRouter router = machine.Open(parsed);
            TopologySnapshot snapshot = router.Topology.Snapshot;
            if (parsed.GetValue(isJson))
            {
                context.Output.Write(MachineFile.Write(snapshot));
            }
            else if (parsed.GetValue(isHex))
            {
                LspciHexWriter.Write(snapshot, context.Output);
            }
            else if (parsed.GetValue(isMatrix))
            {
                SmiMatrixPicture.Draw(router, context.Output);
            }
            else
            {
                DrawTree(snapshot, parsed.GetValue(isTree), parsed.GetValue(isDetailed), context.Output);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static void DrawTree(TopologySnapshot snapshot, bool isTreeAlone, bool isDetailed, TextWriter output)
    {
        if (!isTreeAlone)
        {
            output.WriteLine(MachineSummary.Of(snapshot));
        }

        TreePicture.Draw(snapshot, isDetailed, output);
    }

    private static Command CreateMatrix(CliContext context)
    {
        var machine = new MachineOptions(context);
        var isJson = new Option<bool>("--json") { Description = "As JSON." };
        var command = new Command("matrix", "How near GPUs and NICs are, as nvidia-smi topo -m prints it.");
        machine.AddTo(command);
        command.Add(isJson);
        command.SetAction(parsed =>
        {
            P2pRouter router = machine.Open(parsed);
            if (parsed.GetValue(isJson))
            {
                SmiMatrixPicture.WriteJson(router, context.Output);
            }
            else
            {
                SmiMatrixPicture.Draw(router, context.Output);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    private static Command CreateImport(CliContext context)
    {
        var machine = new MachineOptions(context);
        var target = new Option<string?>("--output", "-o")
        {
            Description = "Write the machine file here; standard output where left out.",
            HelpName = "FILE",
        };
        var command = new Command("import", "Read a machine from any format and write Mm's own machine file.");
        machine.AddTo(command);
        command.Add(target);
        command.SetAction(parsed =>
        {
            TopologySnapshot snapshot = machine.Open(parsed).Topology.Snapshot;
            string text = MachineFile.Write(snapshot);
            if (parsed.GetValue(target) is not { } path || path == "-")
            {
                context.Output.Write(text);
                context.Error.WriteLine(MachineSummary.Of(snapshot));
                return ExitCode.Ok;
            }

            WriteWhole(path, text);
            context.Output.WriteLine(MachineSummary.Of(snapshot));
            return ExitCode.Ok;
        });
        return command;
    }

    // Beside the target and then renamed over it, so that an interrupted run leaves the old file or the new one, whole.
    private static void WriteWhole(string path, string text)
    {
        string partial = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            File.WriteAllText(partial, text);
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"{path}: {e.Message}");
        }
    }
}
