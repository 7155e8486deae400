using Mm.Core;
using Mm.DmaBuf.Exporters;

namespace Mm.DmaBuf.Tests.Exporters;

internal sealed class HeapRequestTests
{
    [Test]
    public void Read_TakesEachFieldFromItsPlace()
    {
        byte[] argument = [.. Enumerable.Range(0, 24).Select(index => (byte)index)];
        Assert.That(
            HeapRequest.Read(argument),
            Is.EqualTo(new HeapRequest(new ByteCount(0x0706050403020100), 0x0b0a0908, 0x0f0e0d0c, 0x1716151413121110)));
        Assert.That(HeapRequest.Read([]), Is.EqualTo(default(HeapRequest)));
    }
}
