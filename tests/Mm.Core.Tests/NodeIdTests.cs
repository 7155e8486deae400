namespace Mm.Core.Tests;

public sealed class NodeIdTests
{
    [TestCase(0)]
    [TestCase(NodeId.MaxIndex - 1)]
    [TestCase(NodeId.MaxIndex)]
    public void New_LegalIndex_IsKnown(int index)
    {
        var node = new NodeId(index);

        Assert.That(node.IsKnown, Is.True);
        Assert.That(node.Index, Is.EqualTo(index));
        Assert.That(node.ToString(), Is.EqualTo($"node {index}"));
    }

    [TestCase(-1)]
    [TestCase(NodeId.MaxIndex + 1)]
    public void New_IllegalIndex_Throws(int index)
    {
        Assert.That(() => new NodeId(index), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void None_IsNoNodeAndNotTheDefault()
    {
        Assert.That(NodeId.None.IsKnown, Is.False);
        Assert.That(NodeId.None.Index, Is.EqualTo(-1));
        Assert.That(NodeId.None.ToString(), Is.EqualTo("no node"));
        Assert.That(default(NodeId), Is.EqualTo(new NodeId(0)));
    }
}
