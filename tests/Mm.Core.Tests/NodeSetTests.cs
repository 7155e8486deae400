using FsCheck;
using FsCheck.Fluent;

namespace Mm.Core.Tests;

public sealed class NodeSetTests
{
    private static NodeSet Of(params int[] nodes) => new([.. nodes.Select(static node => new NodeId(node))]);

    [Test]
    public void Set_OfSomeNodes_HasTheseInOrder()
    {
        NodeSet set = Of(1023, 3, 64, 3);
        Assert.That((set.Count, set.First, set.At(1), set.At(2)), Is.EqualTo((3, new NodeId(3), new NodeId(64), new NodeId(1023))));
        Assert.That((set.Contains(new NodeId(64)), set.Contains(new NodeId(63)), set.Contains(NodeId.None)), Is.EqualTo((true, false, false)));
        Assert.That((set.PlaceOf(new NodeId(64)), set.PlaceOf(new NodeId(65))), Is.EqualTo((1, -1)));
        Assert.That((set.NextAfter(new NodeId(3)), set.NextAfter(new NodeId(1023)), set.NextAfter(NodeId.None)),
            Is.EqualTo((new NodeId(64), new NodeId(3), new NodeId(3))));
        Assert.That($"{set}", Is.EqualTo("nodes 3,64,1023"));
    }

    [Test]
    public void EmptySet_HasNothing()
    {
        NodeSet none = default;
        Assert.That((none.IsEmpty, none.Count, none.First, none.NextAfter(new NodeId(5))), Is.EqualTo((true, 0, NodeId.None, NodeId.None)));
        Assert.That($"{none}", Is.EqualTo("no nodes"));
        Assert.That(() => none.At(0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void NoNode_IsInNoSet()
    {
        Assert.That(() => new NodeSet(NodeId.None), Throws.ArgumentException);
        Assert.That(() => Of(1).With(NodeId.None), Throws.ArgumentException);
        Assert.That(Of(1).Without(NodeId.None), Is.EqualTo(Of(1)));
    }

    [FsCheck.NUnit.Property]
    public Property Sets_AreWhatSetsOfNumbersAre(int[] one, int[] two)
    {
        int[] left = [.. one.Select(static value => value & 1023)];
        int[] right = [.. two.Select(static value => value & 1023)];
        (NodeSet a, NodeSet b) = (Of(left), Of(right));
        NodeSet less = left.Aggregate(b, static (set, node) => set.Without(new NodeId(node)));
        NodeSet more = left.Aggregate(b, static (set, node) => set.With(new NodeId(node)));
        return (a.And(b) == Of([.. left.Intersect(right)])
            && less == Of([.. right.Except(left)])
            && more == Of([.. left, .. right])
            && a.Count == left.Distinct().Count()
            && a.IsSubsetOf(b) == !left.Except(right).Any()
            && a.Equals((object)Of([.. left.Reverse()])) && a.GetHashCode() == Of([.. left.Reverse()]).GetHashCode()
            && a != b == !left.ToHashSet().SetEquals(right)).ToProperty();
    }
}
