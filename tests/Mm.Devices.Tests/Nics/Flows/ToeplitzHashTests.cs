using System.Net;
using Mm.Devices.Nics.Flows;

namespace Mm.Devices.Tests.Nics.Flows;

internal sealed class ToeplitzHashTests
{
    // The published vectors of receive-side scaling.
    [TestCase("66.9.149.187", 2794, "161.142.100.80", 1766, 0x51ccc178U)]
    [TestCase("199.92.111.2", 14230, "65.69.140.83", 4739, 0xc626b0eaU)]
    [TestCase("24.19.198.95", 12898, "12.22.207.184", 38024, 0x5c2b394aU)]
    [TestCase("38.27.205.30", 48228, "209.142.163.6", 2217, 0xafc7327fU)]
    [TestCase("153.39.163.191", 44251, "202.188.127.2", 1303, 0x10e828a2U)]
    [TestCase("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x40207d3dU)]
    [TestCase("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0xdde51bbfU)]
    public void Hash_OfPublishedFlows_IsAsPublished(string from, int fromPort, string to, int toPort, uint expected)
    {
        var flow = new FlowKey(new IPEndPoint(IPAddress.Parse(from), fromPort), new IPEndPoint(IPAddress.Parse(to), toPort));
        Assert.That(ToeplitzHash.Of(flow), Is.EqualTo(expected));
    }
}
