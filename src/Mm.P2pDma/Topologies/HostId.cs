namespace Mm.P2pDma.Topologies;

/// <summary>Which machine of a topology: files may describe several, and nothing is ever routed from one to another.</summary>
/// <remarks>
/// <para><b>Linux:</b> none; a kernel sees one machine. NCCL's <c>host_hash</c>.</para>
/// <para><c>default</c> is the first host, the only one of most topologies. Immutable.</para>
/// </remarks>
/// <param name="Index">The ordinal in its topology, from 0.</param>
public readonly record struct HostId(ushort Index)
{
    /// <summary>The first host.</summary>
    public static HostId First => default;

    /// <summary>The host as <c>host 1</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"host {Index}";
}
