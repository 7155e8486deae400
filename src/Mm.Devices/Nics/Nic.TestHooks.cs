namespace Mm.Devices.Nics;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
public sealed partial class Nic
{
    /// <summary>
    /// Whether removal does not tell bindings, as in Linux before "net: devmem: fix kernel panic when netlink socket close
    /// after module unload" (2025, 0afc44d8cdf6).
    /// </summary>
    internal bool ForgetsBindings { get; set; }

    /// <summary>
    /// Whether a binding is mapped both ways, as Linux unmapped it before "net: devmem: fix DMA direction on unmapping" (2025,
    /// 67cb3720fdfa): here a mapping is unmapped as it was mapped, so the wrong way can only be both.
    /// </summary>
    internal bool BindsBothWays { get; set; }
}
