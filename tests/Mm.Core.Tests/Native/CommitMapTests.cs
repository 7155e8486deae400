using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class CommitMapTests
{
    private readonly List<ulong> committed = [];

    [SetUp]
    public void Forget() => committed.Clear();

    [TestCase(0UL, 1UL, 0UL, 0UL)]
    [TestCase(OsMemory.ChunkBytes - 1, 1UL, 0UL, 0UL)]
    [TestCase(OsMemory.ChunkBytes - 1, 2UL, 0UL, 1UL)]
    [TestCase(OsMemory.ChunkBytes, 1UL, 1UL, 1UL)]
    [TestCase(63 * OsMemory.ChunkBytes, 3 * OsMemory.ChunkBytes, 63UL, 65UL)]
    public void Ensure_Bytes_CommitsExactlyTheirChunks(ulong offset, ulong length, ulong first, ulong last)
    {
        var map = new CommitMap(100, committed.Add);
        map.Ensure(offset, length);
        Assert.That(committed, Is.EqualTo(Range(first, last)));
    }

    [Test]
    public void Ensure_Again_CommitsNothing()
    {
        var map = new CommitMap(100, committed.Add);
        map.Ensure(0, 10 * OsMemory.ChunkBytes);
        map.Ensure(5, 8 * OsMemory.ChunkBytes);
        Assert.That(committed, Has.Count.EqualTo(10));
    }

    [Test]
    public void Ensure_NoBytes_CommitsNothing()
    {
        new CommitMap(1, committed.Add).Ensure(OsMemory.ChunkBytes, 0);
        Assert.That(committed, Is.Empty);
    }

    [Test]
    public void Ensure_WhenTheSystemRefuses_TriesAgainNextTime()
    {
        bool refuse = true;
        var map = new CommitMap(1, _ =>
        {
            if (refuse)
            {
                throw new InsufficientMemoryException();
            }

            committed.Add(0);
        });

        Assert.That(() => map.Ensure(0, 1), Throws.InstanceOf<InsufficientMemoryException>());
        refuse = false;
        map.Ensure(0, 1);
        Assert.That(committed, Has.Count.EqualTo(1));
    }

    private static IEnumerable<ulong> Range(ulong first, ulong last)
    {
        for (ulong i = first; i <= last; i++)
        {
            yield return i;
        }
    }
}
