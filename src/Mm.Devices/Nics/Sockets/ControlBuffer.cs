namespace Mm.Devices.Nics.Sockets;

/// <summary>Room for control messages, given to a call that receives.</summary>
/// <remarks>
/// Owns the messages.
/// <para><b>Linux:</b> msg_control and msg_controllen (v6.12); no message is cut off.</para>
/// <para><b>Locking:</b> its caller's.</para>
/// </remarks>
public sealed class ControlBuffer
{
    private readonly List<ReceiveControl> messages = [];

    /// <summary>Makes room.</summary>
    /// <param name="capacity">For how many messages.</param>
    public ControlBuffer(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        Capacity = capacity;
    }

    /// <summary>How many messages it takes.</summary>
    public int Capacity { get; }

    /// <summary>The messages, in the order of the bytes.</summary>
    public IReadOnlyList<ReceiveControl> Messages => messages;

    /// <summary>Empties it.</summary>
    public void Clear() => messages.Clear();

    internal bool TryAdd(ReceiveControl message)
    {
        if (messages.Count == Capacity)
        {
            return false;
        }

        messages.Add(message);
        return true;
    }
}
