using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Handles the names that are found in archives and folders: always relative, never leaving their root.</summary>
internal static class SysfsPath
{
    /// <summary>The longest path that is taken, in characters (PATH_MAX).</summary>
    internal const int MaxLength = 4096;

    /// <summary>Cuts a stored name into its parts.</summary>
    /// <param name="name">The name.</param>
    /// <param name="parts">Its parts, without <c>.</c> and empty ones.</param>
    /// <returns>Whether it stays below its root: relative, no <c>..</c>, not too long.</returns>
    internal static bool TrySplit(string name, out string[] parts)
    {
        parts = [];
        if (name.Length > MaxLength || name.StartsWith('/'))
        {
            return false;
        }

        parts = [.. name.Split('/').Where(part => part is not ("" or "."))];
        return !parts.Contains("..");
    }

    /// <summary>Finds where a link leads.</summary>
    /// <param name="folder">The parts of the folder that the link stands in.</param>
    /// <param name="target">The target as stored.</param>
    /// <param name="path">The path from the root, or empty when refused.</param>
    /// <returns>Whether it is relative and stays below the root.</returns>
    internal static bool TryResolve(IReadOnlyList<string> folder, string target, out string path)
    {
        path = "";
        if (target.Length is 0 or > MaxLength || target.StartsWith('/'))
        {
            return false;
        }

        var parts = new List<string>(folder);
        foreach (string part in target.Split('/'))
        {
            if (part is "" or ".")
            {
                continue;
            }

            if (part != "..")
            {
                parts.Add(part);
            }
            else if (parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else
            {
                return false;
            }
        }

        path = string.Join('/', parts);
        return path.Length <= MaxLength;
    }

    /// <summary>Whether a part is a function's folder: its address as the kernel prints it, <c>0000:3b:00.0</c>.</summary>
    /// <param name="part">The part.</param>
    /// <param name="address">The address, or <c>default</c>.</param>
    /// <returns>Whether it is.</returns>
    internal static bool TryAddress(string part, out PciAddress address) =>
        PciAddress.TryParse(part, out address) && address.ToString() == part;

    /// <summary>Whether a part is a host bridge's folder: <c>pci0000:40</c>.</summary>
    /// <param name="part">The part.</param>
    /// <param name="bus">The root bus, or <c>default</c>.</param>
    /// <returns>Whether it is.</returns>
    internal static bool TryRootBus(string part, out PciBusId bus)
    {
        bus = default;
        return part.StartsWith("pci", StringComparison.Ordinal)
            && part.Contains(':', StringComparison.Ordinal)
            && PciBusId.TryParse(part.AsSpan(3), out bus);
    }
}
