using System.Globalization;

namespace Mm.Benchmarks.Peers;

/// <summary><c>answer</c>: Mm's side as a peer of itself, for what a process decides at its start, as the width of vectors.</summary>
internal static class AnswerCommand
{
    public static int Run()
    {
        CpuChoice.First();
        var goals = Goals.All().ToDictionary(static goal => goal.Name, StringComparer.Ordinal);
        while (Console.In.ReadLine() is { } name)
        {
            if (!goals.TryGetValue(name, out Goal? goal))
            {
                Console.WriteLine($"unknown {name}");
                continue;
            }

            (double figure, ulong checksum) = goal.Mm();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{figure:0.####} {checksum}"));
        }

        return 0;
    }
}
