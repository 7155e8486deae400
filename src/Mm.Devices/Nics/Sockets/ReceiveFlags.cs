namespace Mm.Devices.Nics.Sockets;

/// <summary>How a user receives.</summary>
/// <remarks><b>Linux:</b> the flags of recvmsg (v6.12), those that matter here.</remarks>
[Flags]
public enum ReceiveFlags
{
    /// <summary>Bytes are copied.</summary>
    None = 0,

    /// <summary>Bytes stay. <b>Linux:</b> MSG_PEEK.</summary>
    Peek = 2,

    /// <summary>Payload that lies in device memory is welcome. <b>Linux:</b> MSG_SOCK_DEVMEM.</summary>
    DeviceMemory = 0x2000000,
}
