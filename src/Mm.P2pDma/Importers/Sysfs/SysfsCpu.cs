using System.Text;
using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Sysfs;

/// <summary>Finds out which CPUs a machine has from <c>proc/cpuinfo</c>: from its first CPU.</summary>
/// <remarks><b>Linux:</b> show_cpuinfo of x86, arm64 and powerpc (v6.12).</remarks>
internal static class SysfsCpu
{
    private const string Path = "proc/cpuinfo";
    private const int MaxLines = 64;

    /// <summary>How much of the file is needed at most: the first CPU's lines.</summary>
    internal const int MaxBytes = 16 * 1024;

    /// <summary>The CPUs.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="log">Where errors and notes go.</param>
    /// <returns>The identity.</returns>
    internal static CpuIdentity Identify(SysfsTree tree, ImportLog log)
    {
        if (!tree.Files.TryGetValue(Path, out byte[]? bytes) || bytes.Length == 0)
        {
            log.Note(log.At(0, 0), "there is no proc/cpuinfo: the CPU's vendor and family are unknown");
            return CpuIdentity.Unknown;
        }

        var vendor = CpuVendor.Unknown;
        int? family = null;
        int? model = null;
        int number = 0;
        string text = Encoding.UTF8.GetString(bytes.AsSpan(0, Math.Min(bytes.Length, MaxBytes)));
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (++number > MaxLines || (line.IsWhiteSpace() && vendor != CpuVendor.Unknown))
            {
                break;
            }

            int colon = line.IndexOf(':');
            if (colon < 0)
            {
                continue;
            }

            ReadOnlySpan<char> key = line[..colon].TrimEnd();
            ReadOnlySpan<char> value = line[(colon + 1)..].TrimStart();
            switch (key)
            {
                case "vendor_id":
                    vendor = CpuVendorWords.OfX86Vendor(value.ToString());
                    break;
                case "cpu family":
                    family = Number(value, tree.At(Path, number, colon + 3), log);
                    break;
                case "model":
                    model = Number(value, tree.At(Path, number, colon + 3), log);
                    break;
                case "cpu" when value.StartsWith("POWER"):
                    vendor = CpuVendor.Ibm;
                    break;
                case "CPU implementer":
                    vendor = CpuVendor.Arm;
                    break;
                default:
                    break;
            }
        }

        return new CpuIdentity(vendor, family, model);
    }

    private static int? Number(ReadOnlySpan<char> text, ImportPosition position, ImportLog log)
    {
        if (StrictNumber.TryDecimal(text.TrimEnd(), ushort.MaxValue, out ulong value))
        {
            return (int)value;
        }

        log.Error(position, "not a number", text.ToString(), $"decimal, at most {ushort.MaxValue}");
        return null;
    }
}
