namespace Mm.P2pDma.Topologies;

/// <summary>What is known of a function's ACS: no such capability, its control register, or nothing.</summary>
/// <remarks>
/// That a source cannot say (not read as root, a format without ACS) is not the same as off, and stays a state of its own.
/// <para><b>Linux:</b> pci_dev.acs_cap and the word at PCI_ACS_CTRL (v6.12).</para>
/// <para><c>default</c> is <see cref="Unknown"/>. Immutable.</para>
/// </remarks>
public readonly record struct AcsControl
{
    private const int RegisterMask = 0xffff;

    // Bit 17: known; bit 16: present; bits 15-0: the control register.
    private readonly int packed;

    private AcsControl(int packed) => this.packed = packed;

    /// <summary>Not known whether there is the capability, nor what it holds.</summary>
    public static AcsControl Unknown => default;

    /// <summary>The function has no ACS capability, and so redirects nothing.</summary>
    public static AcsControl Absent => new(1 << 17);

    /// <summary>Whether the source says.</summary>
    public bool IsKnown => (packed & (1 << 17)) != 0;

    /// <summary>Whether the function is known to have the capability.</summary>
    public bool IsPresent => (packed & (1 << 16)) != 0;

    /// <summary>The control register; no bits where absent or unknown.</summary>
    public AcsBits Bits => (AcsBits)(packed & RegisterMask);

    /// <summary>Whether the register is known to redirect peer traffic: any of RR, CR, EC.</summary>
    public bool IsRedirecting => (Bits & AcsBits.Redirects) != AcsBits.None;

    /// <summary>A capability with this control register.</summary>
    /// <param name="bits">The register, 0 to 0xffff, undefined bits included.</param>
    /// <returns>The value.</returns>
    /// <exception cref="ArgumentOutOfRangeException">More than 16 bits.</exception>
    public static AcsControl Of(AcsBits bits) =>
        ((int)bits & ~RegisterMask) == 0
            ? new AcsControl((int)bits | (3 << 16))
            : throw new ArgumentOutOfRangeException(nameof(bits), bits, $"ACS control 0x{(int)bits:x} is not in [0, 0xffff]");

    /// <summary>The same capability with some bits off; what is absent or unknown stays so.</summary>
    /// <param name="bits">The bits to clear.</param>
    /// <returns>The value.</returns>
    public AcsControl Without(AcsBits bits) => IsPresent ? new AcsControl(packed & ~((int)bits & RegisterMask)) : this;

    /// <summary>The register as <c>0x001d (SV+RR+CR+UF)</c>, <c>absent</c> or <c>unknown</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() =>
        !IsKnown ? "unknown" : !IsPresent ? "absent" : $"0x{(int)Bits:x4} ({Names(Bits)})";

    /// <summary>Short names of bits, as the PCI Express specification and lspci's readers use them: <c>RR+CR</c>.</summary>
    internal static string Names(AcsBits bits)
    {
        string[] names = ["SV", "TB", "RR", "CR", "UF", "EC", "DT"];
        var set = new List<string>(names.Length);
        for (int i = 0; i < names.Length; i++)
        {
            if (((int)bits & (1 << i)) != 0)
            {
                set.Add(names[i]);
            }
        }

        return set.Count == 0 ? "none" : string.Join('+', set);
    }
}
