namespace Mm.Devices.Nics.Sockets;

/// <summary>What a control message tells.</summary>
/// <remarks><b>Linux:</b> SCM_DEVMEM_LINEAR and SCM_DEVMEM_DMABUF (v6.12).</remarks>
public enum ReceiveControlKind
{
    /// <summary>Bytes that were copied: the card had put them behind the header.</summary>
    Linear = 0,

    /// <summary>A fragment that landed in a bound buffer, lent until its token is given back.</summary>
    DeviceMemory = 1,
}
