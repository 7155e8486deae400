namespace Mm.Devices.Nics.Sockets;

/// <summary>A socket's way to its card.</summary>
/// <remarks><b>Locking:</b> safe from any thread, with no lock of the socket held.</remarks>
internal interface IFlowPort
{
    /// <summary>Takes bytes off the wire; what is finished has been delivered on return.</summary>
    Landing Land(NicSocket socket, int atMost, bool flushes);

    /// <summary>The socket is closed.</summary>
    void Forget(NicSocket socket);
}
