namespace Mm.Devices.Nics.ZeroCopy;

/// <summary>A registered queue's way to its card.</summary>
/// <remarks><b>Locking:</b> safe from any thread, with no lock of the queue held.</remarks>
internal interface IZeroCopyPort
{
    /// <summary>The user is gone: the queue goes on with plain memory.</summary>
    void Close(ZeroCopyQueue queue);
}
