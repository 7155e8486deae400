namespace Mm.Core;

/// <summary>Which device of a machine: the identity that mappings, providers and ledgers speak of.</summary>
/// <remarks>
/// A machine hands these out, from 1, in the order of registration; they are never used again within it.
/// <c>default</c> is <see cref="None"/>, no device.
/// <para><b>Linux:</b> the address of a struct device, as an identity (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
/// <param name="Value">The ordinal in its machine; 0 is no device.</param>
public readonly record struct DeviceId(uint Value)
{
    /// <summary>No device.</summary>
    public static DeviceId None => default;

    /// <summary>Whether this names a device.</summary>
    public bool IsKnown => Value != 0;

    /// <summary>The identity as <c>device 3</c>, or <c>no device</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => IsKnown ? $"device {Value}" : "no device";
}
