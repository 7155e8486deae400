using System.Globalization;
using Mm.Conformance.Recordings;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>What one <c>config</c> of a recording sets: the CPU, identities of first devices, ACS controls.</summary>
/// <remarks><b>Locking:</b> the caller's.</remarks>
internal sealed class P2pSettings
{
    private readonly Dictionary<PciAddress, PciId> identities = [];
    private readonly Dictionary<PciAddress, AcsControl> controls = [];

    /// <summary>Reads the rest of a <c>config</c> line.</summary>
    public P2pSettings(RecordingWords words)
    {
        _ = words.TakeNumber("the config's number");
        string cpu = words.TakeValue("cpu");
        words.End();
        int dash = cpu.LastIndexOf('-');
        if (dash <= 0)
        {
            throw words.Error("not a CPU", cpu, "cpu=VENDOR-FAMILY");
        }

        string family = cpu[(dash + 1)..];
        ulong number = words.ParseNumber(family, "a family, as 0x17");
        if (number > int.MaxValue)
        {
            throw words.Error("not a CPU family", family, "at most 0x7fffffff");
        }

        Cpu = new CpuIdentity(Vendor(cpu[..dash]), (int)number, null);
    }

    public CpuIdentity Cpu { get; }

    /// <summary>Reads the rest of a <c>first-on-root</c> line.</summary>
    public void SetFirstOnRoot(RecordingWords words, P2pMachine machine)
    {
        PciAddress address = machine.TakeKnown(words);
        identities[address] = P2pMachine.ParseId(words, words.TakeValue("id"));
        words.End();
    }

    /// <summary>Reads the rest of an <c>acs</c> line.</summary>
    public void SetAcs(RecordingWords words, P2pMachine machine)
    {
        PciAddress address = machine.TakeKnown(words);
        ulong control = words.TakeNumber("an ACS control, as 0x1d");
        words.End();
        if (control > ushort.MaxValue)
        {
            string found = "0x" + control.ToString("x", CultureInfo.InvariantCulture);
            throw words.Error("not an ACS control", found, "at most 0xffff");
        }

        controls[address] = AcsControl.Of((AcsBits)control);
    }

    /// <summary>A device of the machine as these settings make it.</summary>
    public PciFunction Apply(PciFunction function)
    {
        bool hasIdentity = identities.TryGetValue(function.Address, out PciId id);
        bool hasControl = controls.TryGetValue(function.Address, out AcsControl control);
        return hasIdentity || hasControl
            ? function with { Id = hasIdentity ? id : function.Id, Acs = hasControl ? control : function.Acs }
            : function;
    }

    private static CpuVendor Vendor(string text) => text switch
    {
        "intel" => CpuVendor.Intel,
        "amd" => CpuVendor.Amd,
        "hygon" => CpuVendor.Hygon,
        "zhaoxin" or "centaur" => CpuVendor.Zhaoxin,
        "arm" => CpuVendor.Arm,
        "ibm" => CpuVendor.Ibm,
        _ => CpuVendor.Other,
    };
}
