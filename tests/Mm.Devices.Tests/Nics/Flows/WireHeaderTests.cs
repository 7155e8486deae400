using System.Net;
using Mm.Devices.Nics.Flows;

namespace Mm.Devices.Tests.Nics.Flows;

internal sealed class WireHeaderTests
{
    [TestCase("10.1.2.3", "10.4.5.6", 54)]
    [TestCase("fe80::1", "fe80::2", 74)]
    public void Header_Written_ReadsBack(string from, string to, int size)
    {
        var flow = new FlowKey(new IPEndPoint(IPAddress.Parse(from), 5000), new IPEndPoint(IPAddress.Parse(to), 65535));
        var header = new WireHeader(flow, 0xfffffff0, 1448);
        Span<byte> bytes = stackalloc byte[WireHeader.MaxSize];

        Assert.That((header.Write(bytes), WireHeader.SizeOf(flow)), Is.EqualTo((size, size)));
        Assert.That(WireHeader.TryRead(bytes, out WireHeader read, out int length), Is.True);
        Assert.That((read, length), Is.EqualTo((header, size)));
        Assert.That(WireHeader.TryRead(bytes[..20], out _, out _), Is.False);
        bytes[12] = 0;
        Assert.That(WireHeader.TryRead(bytes, out _, out _), Is.False);
    }
}
