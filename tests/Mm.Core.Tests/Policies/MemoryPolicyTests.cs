using Mm.Core.Checks;
using Mm.Core.Policies;

namespace Mm.Core.Tests.Policies;

internal sealed class MemoryPolicyTests
{
    private static readonly NodeSet Usable = new(new NodeId(0), new NodeId(2), new NodeId(3));

    private static NodeSet Of(params int[] nodes) => new([.. nodes.Select(static node => new NodeId(node))]);

    [TestCase(PolicyMode.Default, new int[0], null)]
    [TestCase(PolicyMode.Local, new int[0], "Local")]
    [TestCase(PolicyMode.Preferred, new int[0], "Local", Description = "without nodes it is the local one")]
    [TestCase(PolicyMode.Preferred, new[] { 1, 2, 3 }, "Preferred nodes 2", Description = "the lowest that is usable")]
    [TestCase(PolicyMode.Bind, new[] { 1, 2, 3 }, "Bind nodes 2,3")]
    [TestCase(PolicyMode.Interleave, new[] { 0, 3 }, "Interleave nodes 0,3")]
    [TestCase(PolicyMode.PreferredMany, new[] { 0 }, "PreferredMany nodes 0")]
    [TestCase(PolicyMode.WeightedInterleave, new[] { 0, 1 }, "WeightedInterleave nodes 0")]
    public void Policy_OfUsableNodes_IsMade(PolicyMode mode, int[] nodes, string? text)
    {
        Assert.That(MemoryPolicy.TryCreate(mode, Of(nodes), Usable, out MemoryPolicy? policy), Is.EqualTo(Errno.Ok));
        Assert.That(policy?.ToString(), Is.EqualTo(text));
    }

    [TestCase(PolicyMode.Default, 0, Description = "no policy has no nodes")]
    [TestCase(PolicyMode.Local, 0, Description = "the local one neither")]
    [TestCase(PolicyMode.Preferred, 1, Description = "a node without memory")]
    [TestCase(PolicyMode.Bind, 1)]
    [TestCase(PolicyMode.Bind, -1, Description = "no node at all")]
    [TestCase(PolicyMode.Interleave, -1)]
    [TestCase(PolicyMode.PreferredMany, -1)]
    [TestCase(PolicyMode.WeightedInterleave, 1)]
    [TestCase((PolicyMode)7, 0, Description = "no such mode")]
    [TestCase((PolicyMode)(-1), 0, Description = "no such mode")]
    public void Policy_OfWrongNodes_IsEinval(PolicyMode mode, int node)
    {
        Assert.That(MemoryPolicy.TryCreate(mode, node < 0 ? default : Of(node), Usable, out MemoryPolicy? policy), Is.EqualTo(Errno.EINVAL));
        Assert.That(policy, Is.Null);
    }

    [Test]
    public void Policies_AreComparedByWhatTheySay()
    {
        Errno made = MemoryPolicy.TryCreate(PolicyMode.Bind, Of(2, 3), Usable, out MemoryPolicy? one);
        Errno again = MemoryPolicy.TryCreate(PolicyMode.Bind, Of(1, 3, 2), Usable, out MemoryPolicy? same);
        Assert.That((made, again), Is.EqualTo((Errno.Ok, Errno.Ok)));
        Assert.That(same, Is.EqualTo(one));
        Assert.That(one!.WithHome(new NodeId(0)), Is.Not.EqualTo(one));
        Assert.That($"{one.WithHome(new NodeId(0))}", Is.EqualTo("Bind nodes 2,3, home node 0"));
    }

    [Test]
    public void Home_OfAPolicyThatHasNone_IsABug()
    {
        MemoryPolicy.TryCreate(PolicyMode.Interleave, Of(2), Usable, out MemoryPolicy? policy).ThrowIfError();
        Assert.That(() => policy!.WithHome(new NodeId(0)), Throws.InstanceOf<MmBugException>());
    }
}
