using System.Diagnostics;

namespace Mm.Benchmarks.Peers;

/// <summary>Where the measuring thread runs: on the core that the peers pin themselves to, so that both sides have the same.</summary>
internal static class CpuChoice
{
    /// <summary>Pins the calling thread to the first core. Only ever one of the two sides runs.</summary>
    internal static void First() => Set(1);

    /// <summary>Lets the calling thread, and those that it starts, run anywhere: for workloads of several threads.</summary>
    internal static void Any() => Set((nint)((1UL << Math.Min(Environment.ProcessorCount, 62)) - 1));

    private static void Set(nint mask)
    {
        if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
        {
            using var self = Process.GetCurrentProcess();
            self.ProcessorAffinity = mask;
        }
    }
}
