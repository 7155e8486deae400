using System.Diagnostics.CodeAnalysis;
using Mm.Core.Checks;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Machines;

/// <summary>Machines that come with Mm, under names: for samples, tests and a first look.</summary>
/// <remarks>
/// They are machine files of Mm, made up by us after the data sheets of such machines: complete trees with addresses and
/// sizes of BARs, ACS, links and identities. None is the description of one real machine.
/// <para><b>Locking:</b> stateless; each <see cref="TryGet"/> makes a topology of its own, to edit at will.</para>
/// </remarks>
public static class BuiltInMachines
{
    private static readonly (string Name, string Description)[] Known =
    [
        ("dgx2-like", "two Skylake sockets, 16 V100 GPUs and 8 NICs below two layers of PLX switches, 12 NVSwitches"),
        ("mi300x", "two Zen 4 sockets, 8 MI300X GPUs, each with a NIC and an NVMe drive below one switch, xGMI mesh"),
        ("nvme-cmb", "one Ice Lake socket, NVMe drives with controller memory buffers and a NIC below a switch whose ACS redirects"),
        ("two-switch", "two Sandy Bridge sockets, a switch with ACS off (GPU, NIC), one that redirects (small-BAR GPU, NVMe), a far NIC"),
    ];

    /// <summary>The names, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Known.Select(machine => machine.Name)];

    /// <summary>Makes a machine.</summary>
    /// <param name="name">Its name, one of <see cref="Names"/>.</param>
    /// <param name="topology">The machine, as if just booted; null where there is none of this name.</param>
    /// <returns>Whether there is one.</returns>
    public static bool TryGet(string name, [NotNullWhen(true)] out Topology? topology)
    {
        ArgumentNullException.ThrowIfNull(name);
        topology = null;
        if (!Names.Contains(name, StringComparer.Ordinal))
        {
            return false;
        }

        using Stream? stream = typeof(BuiltInMachines).Assembly.GetManifestResourceStream($"{name}.json");
        Check.That(stream is not null, $"the resource of {name}");
        ImportResult result = MachineFile.Read(stream, $"{name}.json", ImportLimits.Default);
        Check.That(result.IsImported, result.ToString());
        topology = result.Topology;
        return true;
    }

    /// <summary>What a machine is, in one line.</summary>
    /// <param name="name">Its name, one of <see cref="Names"/>.</param>
    /// <returns>The line.</returns>
    /// <exception cref="ArgumentException">There is no such machine.</exception>
    public static string Describe(string name)
    {
        foreach ((string candidate, string description) in Known)
        {
            if (candidate == name)
            {
                return description;
            }
        }

        throw new ArgumentException($"machine \"{name}\" is not one of {string.Join(", ", Names)}", nameof(name));
    }
}
