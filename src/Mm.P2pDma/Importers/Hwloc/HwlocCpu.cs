using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Hwloc;

/// <summary>Finds out which CPUs an hwloc machine has.</summary>
internal static class HwlocCpu
{
    /// <summary>The CPUs of the machine: by the first package that tells, else by the architecture.</summary>
    /// <param name="root">The <c>topology</c> element.</param>
    /// <param name="machine">The machine object.</param>
    /// <param name="log">Where errors and notes go.</param>
    /// <returns>The identity.</returns>
    internal static CpuIdentity Identify(XmlTreeElement root, XmlTreeElement machine, ImportLog log)
    {
        XmlTreeElement? teller = FirstTeller(machine);
        string? architecture = HwlocFields.Info(root, "Architecture") ?? HwlocFields.Info(machine, "Architecture");
        if (architecture is { } name && !IsX86(name))
        {
            return new CpuIdentity(CpuVendorWords.OfArchitecture(name), null, null);
        }

        if (teller is null)
        {
            log.Note(log.At(0, 0), "the file does not tell the CPU vendor and family: they are unknown");
            return CpuIdentity.Unknown;
        }

        string? vendor = HwlocFields.Info(teller, "CPUVendor");
        string model = HwlocFields.Info(teller, "CPUModel") ?? "";
        if (vendor is null)
        {
            CpuVendor guess = OfModel(model);
            log.Note(teller.Position, $"the CPU vendor ({guess}) is inferred from the model \"{model}\"; the family is unknown");
            return new CpuIdentity(guess, null, null);
        }

        int? family = Number(teller, "CPUFamilyNumber", log);
        return new CpuIdentity(CpuVendorWords.OfX86Vendor(vendor), family, Number(teller, "CPUModelNumber", log));
    }

    /// <summary>The machine's name, where told.</summary>
    /// <param name="root">The <c>topology</c> element.</param>
    /// <param name="machine">The machine object.</param>
    /// <returns>The name, or null.</returns>
    internal static string? HostName(XmlTreeElement root, XmlTreeElement machine) =>
        HwlocFields.Info(root, "HostName") ?? HwlocFields.Info(machine, "HostName");

    private static bool IsX86(string architecture) => architecture is "x86_64" or "i386" or "i486" or "i586" or "i686";

    private static CpuVendor OfModel(string model) =>
        model.StartsWith("Intel", StringComparison.Ordinal) ? CpuVendor.Intel
        : model.StartsWith("AMD", StringComparison.Ordinal) ? CpuVendor.Amd
        : model.StartsWith("Hygon", StringComparison.Ordinal) ? CpuVendor.Hygon
        : model.StartsWith("POWER", StringComparison.Ordinal) ? CpuVendor.Ibm
        : CpuVendor.Unknown;

    // The infos sit in packages; hwloc before 2.3 put them into the machine where there was no package.
    private static XmlTreeElement? FirstTeller(XmlTreeElement element)
    {
        if (HwlocFields.Info(element, "CPUVendor") is not null || HwlocFields.Info(element, "CPUModel") is not null)
        {
            return element;
        }

        foreach (XmlTreeElement child in element.Children)
        {
            if (child.Name == "object" && FirstTeller(child) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    private static int? Number(XmlTreeElement element, string name, ImportLog log)
    {
        if (HwlocFields.Info(element, name) is not { } text)
        {
            return null;
        }

        if (StrictNumber.TryDecimal(text, 0xffff, out ulong value))
        {
            return (int)value;
        }

        log.Error(element.Position, $"{name} is not a number", text, "0 to 65535");
        return null;
    }
}
