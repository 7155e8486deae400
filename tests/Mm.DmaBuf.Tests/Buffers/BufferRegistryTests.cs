using Mm.DmaBuf.Buffers;

namespace Mm.DmaBuf.Tests.Buffers;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class BufferRegistryTests : IDisposable
{
    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void Collect_ListsWhatIsAlive_WithNumbersOfTheirOwn()
    {
        using BufferHandle first = rig.Heap();
        BufferHandle second = rig.Heap();
        BufferRegistry buffers = rig.System.Buffers;
        Assert.That(buffers.Collect(), Is.EqualTo(new[] { first.Buffer, second.Buffer }));
        second.Dispose();
        using BufferHandle third = rig.Heap();
        Assert.That(buffers.Collect().Select(buffer => buffer.Number), Is.EqualTo(new[] { 1UL, 3UL }));
        buffers.Validate();
        Assert.That(first.ToString(), Is.EqualTo("handle of buffer 1 of system, 4 KiB"));
    }
}
