using System.Diagnostics;
using System.Globalization;

namespace Mm.Benchmarks.Peers;

/// <summary>A process that runs beside this one and is asked for one repetition at a time (see bench/peers/peer.h).</summary>
internal sealed class PeerProcess : IDisposable
{
    private readonly Process process;

    private PeerProcess(Process process) => this.process = process;

    /// <summary>Starts a peer that <c>make -C bench/peers</c> has built.</summary>
    /// <param name="folder">Where the built peers are.</param>
    /// <param name="name">Which one.</param>
    /// <returns>The peer; <see langword="null"/> where it is not built.</returns>
    public static PeerProcess? TryStart(string folder, string name)
    {
        string path = Path.Combine(folder, name);
        return File.Exists(path) ? Start(new ProcessStartInfo(path)) : null;
    }

    /// <summary>Starts this program once more, to answer for Mm with narrower vectors.</summary>
    /// <param name="vectors">The value of <c>MM_VECTORS</c>.</param>
    /// <returns>The process; a goal's name is the workload that it is asked for.</returns>
    public static PeerProcess StartSelf(string vectors)
    {
        string host = Environment.ProcessPath ?? throw new InvalidOperationException("this process has no path");
        bool isHosted = Path.GetFileNameWithoutExtension(host) == "dotnet";
        var start = new ProcessStartInfo(host, isHosted ? [typeof(PeerProcess).Assembly.Location, "answer"] : ["answer"]);
        start.Environment["MM_VECTORS"] = vectors;

        // It pins itself once it runs: a runtime that starts with one processor takes ten times as long to its last tier.
        CpuChoice.Any();
        PeerProcess self = Start(start);
        CpuChoice.First();
        return self;
    }

    /// <summary>Asks for one repetition of a workload.</summary>
    /// <param name="workload">The workload's name and numbers.</param>
    /// <returns>The figure and the checksum; <see langword="null"/> where the workload is not known.</returns>
    public Repetition? Ask(string workload)
    {
        process.StandardInput.WriteLine(workload);
        process.StandardInput.Flush();
        string answer = process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"the peer ended at \"{workload}\"");
        if (answer.StartsWith("unknown", StringComparison.Ordinal))
        {
            return null;
        }

        string[] words = answer.Split(' ');
        return new Repetition(
            double.Parse(words[0], CultureInfo.InvariantCulture), ulong.Parse(words[1], CultureInfo.InvariantCulture));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        process.StandardInput.Close();
        process.WaitForExit();
        process.Dispose();
    }

    private static PeerProcess Start(ProcessStartInfo start)
    {
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.UseShellExecute = false;
        return new PeerProcess(
            Process.Start(start) ?? throw new InvalidOperationException($"cannot start {start.FileName}"));
    }
}
