using Mm.Core;
using Mm.P2pDma.Topologies;

namespace Mm.Cli.Pictures;

/// <summary>A machine as <c>lspci -t</c> draws it: a line an endpoint, bridges with the buses below them.</summary>
/// <remarks>
/// With detail, a line ends in what the function is, as <c>lspci -tv</c>'s does; Mm has no table of names, so it prints
/// ids, the source's own label, operating system names, memory BARs and the link, and marks bridges that redirect.
/// </remarks>
internal sealed class TreePicture
{
    private readonly TopologySnapshot machine;
    private readonly bool isDetailed;
    private readonly TextWriter output;
    private readonly Dictionary<PciFunction, List<PciFunction>> children = new(ReferenceEqualityComparer.Instance);

    private TreePicture(TopologySnapshot machine, bool isDetailed, TextWriter output)
    {
        this.machine = machine;
        this.isDetailed = isDetailed;
        this.output = output;
        foreach (PciFunction function in machine.Functions)
        {
            if (machine.ParentOf(function) is { } parent)
            {
                ChildrenOf(parent).Add(function);
            }
        }
    }

    /// <summary>Draws a machine.</summary>
    /// <param name="machine">What to draw.</param>
    /// <param name="isDetailed">Whether to say what is known of each function.</param>
    /// <param name="output">Where to.</param>
    public static void Draw(TopologySnapshot machine, bool isDetailed, TextWriter output) =>
        new TreePicture(machine, isDetailed, output).DrawHosts();

    private void DrawHosts()
    {
        foreach (TopologyHost host in machine.Hosts)
        {
            if (machine.Hosts.Count > 1)
            {
                output.WriteLine($"{host.Id}{(host.Name is { } name ? $" ({name})" : "")}");
            }

            DrawHost(host.Id);
        }
    }

    private void DrawHost(HostId host)
    {
        List<(string Name, List<PciFunction> Functions)> roots = [];
        foreach (HostBridge bridge in machine.HostBridges.Where(b => b.Host == host).OrderBy(b => b.Bus))
        {
            roots.Add(($"[{bridge.Bus}]", Sorted(machine.CollectRootFunctions(bridge))));
        }

        List<PciFunction> strays = Sorted(machine.CollectRootFunctions(null).Where(f => f.Host == host));
        if (strays.Count > 0)
        {
            roots.Add(("[no host bridge told]", strays));
        }

        if (roots.Count == 1)
        {
            DrawBus("-" + roots[0].Name + "-", "", roots[0].Functions);
            return;
        }

        for (int i = 0; i < roots.Count; i++)
        {
            bool isLast = i == roots.Count - 1;
            string lead = i == 0 ? "-+-" : isLast ? " \\-" : " +-";
            DrawBus(lead + roots[i].Name + "-", isLast ? "  " : " |", roots[i].Functions);
        }
    }

    /// <summary>Draws one bus: <paramref name="lead"/> is what stands left of it already, <paramref name="below"/> what goes on below that.</summary>
    private void DrawBus(string lead, string below, List<PciFunction> functions)
    {
        if (functions.Count == 0)
        {
            output.WriteLine(lead);
            return;
        }

        string margin = below.PadRight(lead.Length);
        if (functions.Count == 1)
        {
            DrawFunction(lead + "--", margin, functions[0]);
            return;
        }

        for (int i = 0; i < functions.Count; i++)
        {
            bool isLast = i == functions.Count - 1;
            DrawFunction((i == 0 ? lead : margin) + (isLast ? "\\-" : "+-"), isLast ? margin : margin + "|", functions[i]);
        }
    }

    private void DrawFunction(string lead, string below, PciFunction function)
    {
        string here = $"{lead}{function.Address.Device:x2}.{function.Address.Function:x}";
        if (!function.CanHaveChildren || (ChildrenOf(function).Count == 0 && function.BusesBelow is null))
        {
            output.WriteLine(isDetailed ? $"{here}  {Detail(function)}" : here);
            return;
        }

        string buses = BusesBelow(function);
        string acs = isDetailed && function.Acs.IsRedirecting ? $"(ACS 0x{(int)function.Acs.Bits:x2})-" : "";
        DrawBus($"{here}-{buses}{acs}-", below, Sorted(ChildrenOf(function)));
    }

    private string BusesBelow(PciFunction function)
    {
        if (function.BusesBelow is { } told)
        {
            return told.Secondary == told.Subordinate
                ? $"[{told.Secondary:x2}]-"
                : $"[{told.Secondary:x2}-{told.Subordinate:x2}]-";
        }

        List<PciFunction> below = ChildrenOf(function);
        return below.Count == 0 ? "[?]-" : $"[{below[0].Address.Bus:x2}]-";
    }

    private static string Detail(PciFunction function)
    {
        var words = new List<string>();
        if (function.Id is { } id)
        {
            words.Add(id.ToString());
        }

        if (function.Label is { } label)
        {
            words.Add(label);
        }
        else if (function.Class is { } known)
        {
            words.Add($"class {known}");
        }

        words.AddRange(function.OsDevices.Select(device => device.Name));
        words.AddRange(function.Bars.Where(bar => bar.IsMemory).Select(BarText));
        if (function.Link.Bandwidth is not null)
        {
            words.Add(function.Link.ToString());
        }

        return string.Join(' ', words);
    }

    private static string BarText(PciBar bar) => $"BAR{bar.Index}={(bar.Size is { } size ? Compact(size) : "?")}";

    private static string Compact(ByteCount size) => size.ToString().Replace(" ", "", StringComparison.Ordinal);

    private static List<PciFunction> Sorted(IEnumerable<PciFunction> functions) =>
        [.. functions.OrderBy(function => function.Address)];

    private List<PciFunction> ChildrenOf(PciFunction function)
    {
        if (!children.TryGetValue(function, out List<PciFunction>? list))
        {
            list = [];
            children.Add(function, list);
        }

        return list;
    }
}
