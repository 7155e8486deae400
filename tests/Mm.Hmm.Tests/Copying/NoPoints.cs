using Mm.Core.Checks;

namespace Mm.Hmm.Tests.Copying;

/// <summary>Points at which nothing happens, for a single thread.</summary>
internal sealed class NoPoints : IYieldPoints
{
    public void Reach(string point)
    {
    }

    public void WaitUntil(string point, Func<bool> isReady) => Assert.That(isReady(), Is.True, $"nobody else would end the wait at {point}");
}
