using Mm.Core;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;

namespace Mm.Devices.Tests.Soak;

/// <summary>A process with one array, and what its bytes must be.</summary>
internal sealed class SoakProcess(AddressSpace space, VirtRange array, byte[] model)
{
    internal AddressSpace Space { get; } = space;

    internal VirtRange Array { get; } = array;

    internal byte[] Model { get; } = model;

    internal GpuSvm? Svm { get; set; }

    internal VirtAddr At(int offset) => Array.Start.AddChecked(new ByteCount((ulong)offset));
}
