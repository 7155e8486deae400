using System.CommandLine;
using System.Globalization;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Verbs;

/// <summary>The argument MACHINE and the options that change the machine or its kernel, shared by every verb that asks about one.</summary>
internal sealed class MachineOptions
{
    private readonly Argument<string> machine = new("MACHINE")
    {
        Description = "A built-in machine (mm topo list), a file in any format that mm imports, a sysfs folder, or - for standard input.",
    };

    private readonly Option<string[]> setAcs = new("--set-acs")
    {
        Description = "What if: BDF=VALUE sets a function's ACS control; VALUE is a number as 0x1d, absent or unknown. May be repeated.",
        HelpName = "BDF=VALUE",
        DefaultValueFactory = _ => [],
    };

    private readonly Option<string?> cpu = new("--cpu")
    {
        Description = "What if: the CPUs, as amd-0x17 or intel-6, where the file does not say.",
        HelpName = "VENDOR-FAMILY",
    };

    private readonly Option<string> linux = new("--linux")
    {
        Description = "Whose rules: a Linux version. Tables are known for 6.12, 6.19 and after.",
        HelpName = "VERSION",
        DefaultValueFactory = _ => "6.12",
    };

    private readonly Option<bool> quiet = new("--quiet", "-q") { Description = "No notes on standard error." };
    private readonly CliContext context;

    /// <summary>Makes the argument and options for one verb.</summary>
    public MachineOptions(CliContext context)
    {
        this.context = context;
        machine.CompletionSources.Add(_ => BuiltInMachines.Names);
    }

    /// <summary>Adds them to a verb, the argument first.</summary>
    public void AddTo(Command command)
    {
        command.Add(machine);
        command.Add(setAcs);
        command.Add(cpu);
        command.Add(linux);
        command.Add(quiet);
    }

    /// <summary>Opens the machine of a command line, with its what-ifs applied.</summary>
    /// <exception cref="CliException">It cannot be read, or an option is not legal.</exception>
    public P2pRouter Open(ParseResult parsed)
    {
        Topology topology = Import(parsed.GetRequiredValue(machine), parsed.GetValue(quiet));
        if (parsed.GetValue(cpu) is { } text)
        {
            SetCpu(topology, text);
        }

        foreach (string change in parsed.GetRequiredValue(setAcs))
        {
            SetAcs(topology, change);
        }

        return new P2pRouter(topology, Rules(parsed.GetRequiredValue(linux)));
    }

    /// <summary>Finds a function by address or by an operating system's name.</summary>
    /// <exception cref="CliException">There is none.</exception>
    public static PciFunction Find(TopologySnapshot snapshot, string text)
    {
        if (PciPlace.TryParse(text, out PciPlace place))
        {
            return snapshot.TryFind(place, out PciFunction? function)
                ? function
                : throw new CliException($"function {place} does not exist in the machine; 'mm topo show' lists all");
        }

        return snapshot.TryFindByName(text, out PciFunction? named)
            ? named
            : throw new CliException(
                $"'{text}' is neither an address as 0000:3b:00.0 nor the name of a device in the machine");
    }

    private Topology Import(string source, bool isQuiet)
    {
        if (BuiltInMachines.TryGet(source, out Topology? builtIn))
        {
            return builtIn;
        }

        ImportResult result = Read(source);
        if (!isQuiet)
        {
            foreach (ImportNote note in result.Notes)
            {
                context.Error.WriteLine(note);
            }
        }

        return result.IsImported ? result.Topology : throw new CliException(string.Join('\n', result.Errors));
    }

    private ImportResult Read(string source)
    {
        if (source == "-")
        {
            return MachineImport.Open(context.Input, "-");
        }

        return File.Exists(source) || Directory.Exists(source)
            ? MachineImport.Open(source)
            : throw new CliException(
                $"{source}: no such file; MACHINE is a file, a folder, - or one of: {string.Join(' ', BuiltInMachines.Names)}");
    }

    private static void SetCpu(Topology topology, string text)
    {
        string[] words = text.Split('-', 2);
        if (words.Length != 2
            || !char.IsAsciiLetter(text[0])
            || !Enum.TryParse(words[0], ignoreCase: true, out CpuVendor vendor)
            || !Enum.IsDefined(vendor)
            || !TryParseNumber(words[1], out int family))
        {
            throw new CliException($"--cpu {text}: expected VENDOR-FAMILY, as amd-0x17, intel-6 or arm-0");
        }

        foreach (TopologyHost host in topology.Snapshot.Hosts)
        {
            _ = topology.TrySetHost(host with { Cpu = new CpuIdentity(vendor, family, null) }, out _);
        }
    }

    private static void SetAcs(Topology topology, string text)
    {
        int at = text.IndexOf('=', StringComparison.Ordinal);
        if (at < 0 || !TryParseAcs(text[(at + 1)..], out AcsControl acs))
        {
            throw new CliException(
                $"--set-acs {text}: expected BDF=VALUE with VALUE in [0x0, 0x10000), absent or unknown");
        }

        PciFunction function = Find(topology.Snapshot, text[..at]);
        _ = topology.TrySetAcs(function.Place, acs, out _);
    }

    private static bool TryParseAcs(string text, out AcsControl acs)
    {
        acs = text == "absent" ? AcsControl.Absent : AcsControl.Unknown;
        if (text is "absent" or "unknown")
        {
            return true;
        }

        bool isNumber = TryParseNumber(text, out int value) && value is >= 0 and <= ushort.MaxValue;
        acs = isNumber ? AcsControl.Of((AcsBits)value) : acs;
        return isNumber;
    }

    private static bool TryParseNumber(string text, out int value) =>
        text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
            ? int.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static P2pRules Rules(string text) =>
        Version.TryParse(text, out Version? version)
            ? P2pRules.ForVersion(version)
            : throw new CliException($"--linux {text}: expected a version as 6.12");
}
