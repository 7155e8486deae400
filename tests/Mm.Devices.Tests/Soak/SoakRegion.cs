using Mm.Core;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Soak;

/// <summary>A region of the far NIC, and where its bytes are known.</summary>
/// <param name="Region">The region.</param>
/// <param name="Model">What the bytes must be, among others.</param>
/// <param name="Start">Where in the model its part begins.</param>
/// <param name="Address">By which address work names that part.</param>
/// <param name="Pages">How many pages the part has.</param>
internal sealed record SoakRegion(MemoryRegion Region, byte[] Model, int Start, VirtAddr Address, int Pages)
{
    /// <summary>How often the GPU had been reset when it was registered.</summary>
    internal int GpuResets { get; init; }
}
