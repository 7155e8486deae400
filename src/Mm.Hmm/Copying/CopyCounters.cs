using Mm.Core;

namespace Mm.Hmm.Copying;

/// <summary>What an engine has done so far.</summary>
/// <remarks>
/// Pages count in units of 4 KiB, and only those that were wholly written. Read while the engine works, the numbers need
/// not belong to one instant.
/// <para><b>Linux:</b> none; drivers have counters of their own.</para>
/// <para><c>default</c> is nothing done. Immutable.</para>
/// </remarks>
/// <param name="Copied">Pages written with what another held.</param>
/// <param name="Cleared">Pages written with zeroes.</param>
/// <param name="Jobs">Jobs that ended, the failed ones included.</param>
/// <param name="FailedJobs">Jobs that ended with an error.</param>
public readonly record struct CopyCounters(PageCount Copied, PageCount Cleared, ulong Jobs, ulong FailedJobs)
{
    /// <summary>The bytes of <see cref="Copied"/>.</summary>
    public ByteCount CopiedBytes => Copied.ToBytes();

    /// <summary>The numbers in words.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"{Copied} copied, {Cleared} cleared, {Jobs} jobs, {FailedJobs} failed";
}
