using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Mm.Benchmarks.Peers;

/// <summary><c>peers [--only G1] [--runs 9] [--json] [--peers FOLDER]</c>: Mm and each peer in turn, in one run, a line a goal.</summary>
/// <remarks>
/// Absolute figures of a shared machine wander; only the ratios of repetitions taken side by side count. So each pair
/// of repetitions is taken back to back, and the median of the pairs' ratios is the result.
/// </remarks>
internal static class PeersCommand
{
    // Ten repetitions at least, and long enough for the JIT's last tier, which comes 100 ms after the last new method.
    private const int WarmUps = 10;
    private const int WarmUpMs = 1500;

    private static readonly string HostCpu = DescribeCpu();

    public static int Run(string[] args)
    {
        string folder = CommandLine.ValueOf(args, "--peers") ?? DefaultFolder();
        int runs = int.Parse(CommandLine.ValueOf(args, "--runs") ?? "9", CultureInfo.InvariantCulture);
        string? only = CommandLine.ValueOf(args, "--only");
        CpuChoice.First();
        var results = new List<GoalResult>();
        IEnumerable<Goal> chosen = Goals.All().Where(
            goal => only is null || (goal.Name + " ").StartsWith(only + " ", StringComparison.Ordinal));
        foreach (IGrouping<(string Peer, string Vectors), Goal> group in chosen.GroupBy(goal => (goal.Peer, goal.Vectors)))
        {
            using PeerProcess? peer = group.Key.Peer.Length == 0 ? null : PeerProcess.TryStart(folder, group.Key.Peer);
            using PeerProcess? self = group.Key.Vectors.Length == 0 ? null : PeerProcess.StartSelf(group.Key.Vectors);
            foreach (Goal goal in group)
            {
                GoalResult? result = Measure(goal, self, peer, runs);
                Console.Error.WriteLine(
                    result?.ToString() ?? $"{goal.Name} skipped: no peer for it (make -C bench/peers)");
                if (result is not null)
                {
                    results.Add(result);
                }
            }
        }

        Print(results, args.Contains("--json", StringComparer.Ordinal));
        return results.TrueForAll(static result => result.IsReached) ? 0 : 1;
    }

    private static GoalResult? Measure(Goal goal, PeerProcess? self, PeerProcess? peer, int runs)
    {
        Func<Repetition?> other = goal.Other is { } ours ? () => ours() : () => peer?.Ask(goal.Workload);
        Func<Repetition?> mm = self is null ? () => goal.Mm() : () => self.Ask(goal.Name);
        if (other() is null)
        {
            return null;
        }

        WarmUp(mm);
        if (goal.Other is not null)
        {
            WarmUp(other);
        }

        var mmFigures = new List<double>();
        var peerFigures = new List<double>();
        for (int i = 0; i < runs; i++)
        {
            Repetition mine = mm() ?? throw new InvalidOperationException($"Mm does not know {goal.Name}");
            Repetition theirs = other() ?? throw new InvalidOperationException($"the peer has forgotten {goal.Workload}");
            if (mine.Checksum != theirs.Checksum)
            {
                throw new InvalidOperationException(
                    $"{goal.Name}: Mm's checksum {mine.Checksum} is not the peer's {theirs.Checksum}: they did different work");
            }

            mmFigures.Add(mine.Figure);
            peerFigures.Add(theirs.Figure);
        }

        return GoalResult.Of(goal, mmFigures, peerFigures);
    }

    private static void WarmUp(Func<Repetition?> side)
    {
        _ = side(); // builds what it works on, which may take seconds
        long begin = Environment.TickCount64;
        for (int done = 1; done < WarmUps || Environment.TickCount64 - begin < WarmUpMs; done++)
        {
            _ = side();
        }
    }

    private static void Print(List<GoalResult> results, bool asJson)
    {
        string runtime = RuntimeInformation.FrameworkDescription;
        string system = RuntimeInformation.OSDescription;
        if (asJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { cpu = HostCpu, system, runtime, results }));
            return;
        }

        Console.WriteLine($"# {HostCpu}, {system}, {runtime}");
        foreach (GoalResult result in results)
        {
            Console.WriteLine(result);
        }
    }

    // The name that the system gives is often no more than the maker's: family and model say which one it is.
    private static string DescribeCpu()
    {
        const string Info = "/proc/cpuinfo";
        if (!File.Exists(Info))
        {
            return $"{RuntimeInformation.ProcessArchitecture} x{Environment.ProcessorCount}";
        }

        string[] lines = File.ReadAllLines(Info);
        string family = ValueAfter(lines, "cpu family");
        string model = ValueAfter(lines, "model\t");
        return $"{ValueAfter(lines, "model name")} family {family} model {model} x{Environment.ProcessorCount}";
    }

    private static string ValueAfter(string[] lines, string label)
    {
        string? line = Array.Find(lines, line => line.StartsWith(label, StringComparison.Ordinal));
        return line is null ? "?" : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }

    private static string DefaultFolder()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string candidate = Path.Combine(at.FullName, "bench", "peers", "build");
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return Path.Combine("bench", "peers", "build");
    }
}
