namespace Mm.Hmm.Tests;

/// <summary>What an operation gives the garbage collector to do, once it is warm.</summary>
internal static class Allocations
{
    private const int WarmUps = 64;
    private const int Repetitions = 256;

    /// <summary>How often the operation is done.</summary>
    public const int Calls = WarmUps + Repetitions;

    public static long BytesOf(Action operation)
    {
        for (int count = 0; count < WarmUps; count++)
        {
            operation();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int count = 0; count < Repetitions; count++)
        {
            operation();
        }

        return GC.GetAllocatedBytesForCurrentThread() - before;
    }
}
