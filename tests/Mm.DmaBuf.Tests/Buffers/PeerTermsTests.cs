using Mm.Core;
using Mm.Core.PhysRanges;
using Mm.DmaBuf.Buffers;
using Mm.Testing.Generators;

namespace Mm.DmaBuf.Tests.Buffers;

internal sealed class PeerTermsTests
{
    [TestCase(true, P2pMapKind.BusAddress, PeerReason.Agreed, "peer to peer, BusAddress")]
    [TestCase(true, P2pMapKind.ThroughHostBridge, PeerReason.Agreed, "peer to peer, ThroughHostBridge")]
    [TestCase(true, P2pMapKind.NotSupported, PeerReason.NoWay, "not peer to peer: the device does not reach the exporter's memory")]
    [TestCase(false, P2pMapKind.BusAddress, PeerReason.ImporterDeclines, "not peer to peer: the importer does not allow it")]
    public void Negotiate_ByWhatIsAllowedAndReached(bool allows, P2pMapKind way, PeerReason expected, string text)
    {
        using BufferRig rig = new();
        DeviceId client = rig.Machine.RegisterDevice("client");
        DeviceId owner = rig.Machine.RegisterDevice("owner");
        var provider = new FakeProvider("bar", owner, new PhysRange(new PhysAddr(1UL << 40), ByteCount.FromMiB(1)), new DmaAddr(1UL << 40), _ => way);
        PeerTerms terms = PeerTerms.Negotiate(new BufferClient(client, IsDynamic: true, allows), provider);
        Assert.That((terms.Reason, terms.IsPeerToPeer, terms.ToString()), Is.EqualTo((expected, expected == PeerReason.Agreed, text)));
        Assert.That(default(PeerTerms).ToString(), Is.EqualTo("RAM"));
    }
}
