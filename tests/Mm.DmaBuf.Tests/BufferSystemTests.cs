using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests;

internal sealed class BufferSystemTests
{
    [Test]
    public void System_FromTheStart_HasTheSystemHeap()
    {
        using var rig = new BufferRig();
        Assert.That(rig.System.Heaps.Names, Is.EqualTo(new[] { "system" }));
        Assert.That((rig.System.Machine, rig.System.Contexts.Clock), Is.EqualTo((rig.Machine, rig.Machine.Clock)));
        using FileTable files = rig.System.CreateFileTable();
        Assert.That(rig.System.Heaps.TryAllocate("system", new HeapRequest(new(1)), files, out _).IsOk, Is.True);
        rig.System.Validate();
    }
}
