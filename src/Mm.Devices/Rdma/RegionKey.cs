namespace Mm.Devices.Rdma;

/// <summary>What names a memory region in work requests, of its own device and of peers.</summary>
/// <remarks>
/// A place in the device's table, and eight bits that change each time the place is used anew.
/// <para><b>Linux:</b> lkey and rkey of struct ib_mr (v6.12), one number for both, as most devices have it.</para>
/// <para><c>default</c> names no region. Immutable.</para>
/// </remarks>
/// <param name="Value">The number.</param>
public readonly record struct RegionKey(uint Value)
{
    /// <summary>The number in hexadecimal.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"0x{Value:x}";
}
