namespace Mm.Devices.Tests;

/// <summary>Lets a test go on when another thread stands before a lock, where the explorer's points do not reach.</summary>
internal static class Waiting
{
    /// <summary>Goes on when a thread waits for somebody, or has ended.</summary>
    internal static void UntilWaits(Thread thread) =>
        SpinWait.SpinUntil(() => thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin) || !thread.IsAlive);
}
