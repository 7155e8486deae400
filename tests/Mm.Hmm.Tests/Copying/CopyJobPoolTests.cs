using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

public sealed class CopyJobPoolTests
{
    [Test]
    public void Rent_CountsWhatIsOut()
    {
        var pool = new CopyJobPool();
        CopyJob first = pool.Rent();
        CopyJob second = pool.Rent();
        Assert.That((pool.RentedJobs, ReferenceEquals(first, second)), Is.EqualTo((2L, false)));
        first.Dispose();
        second.Dispose();
        Assert.That(pool.RentedJobs, Is.Zero);
    }
}
