namespace Mm.P2pDma.Topologies;

/// <summary>The control bits of Access Control Services.</summary>
/// <remarks><b>Linux:</b> PCI_ACS_SV ... PCI_ACS_DT (include/uapi/linux/pci_regs.h, v6.12). Higher bits of the register are kept as they are.</remarks>
[Flags]
public enum AcsBits
{
    /// <summary>Nothing is switched on.</summary>
    None = 0,

    /// <summary>Source validation (SV).</summary>
    SourceValidation = 0x01,

    /// <summary>Translation blocking (TB).</summary>
    TranslationBlocking = 0x02,

    /// <summary>P2P request redirect (RR): requests between peers go up to the root.</summary>
    RequestRedirect = 0x04,

    /// <summary>P2P completion redirect (CR).</summary>
    CompletionRedirect = 0x08,

    /// <summary>Upstream forwarding (UF).</summary>
    UpstreamForwarding = 0x10,

    /// <summary>P2P egress control (EC).</summary>
    EgressControl = 0x20,

    /// <summary>Direct translated P2P (DT).</summary>
    DirectTranslated = 0x40,

    /// <summary>The bits that send peer traffic through the root: RR, CR and EC.</summary>
    Redirects = RequestRedirect | CompletionRedirect | EgressControl,
}
