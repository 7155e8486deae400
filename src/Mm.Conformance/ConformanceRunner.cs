using Mm.Conformance.DmaBuf;
using Mm.Conformance.Hmm;
using Mm.Conformance.Iommufd;
using Mm.Conformance.P2p;
using Mm.Conformance.Recordings;

namespace Mm.Conformance;

/// <summary>Replays recordings of a real kernel against Mm and reports every difference.</summary>
/// <remarks>
/// Takes files, plain or <c>.gz</c>, and folders, whose <c>.txt</c> and <c>.txt.gz</c> files it takes in order of their
/// names, subfolders included; links are not followed. Reads in fixed memory, whatever a file holds.
/// <para><b>Locking:</b> none; safe from any thread.</para>
/// </remarks>
public sealed class ConformanceRunner
{
    private readonly ConformanceOptions options;
    private readonly RecordingKind[] kinds;

    /// <summary>Makes a runner.</summary>
    /// <param name="options">What to hold Mm to; Linux 6.12 and the usual limits where left out.</param>
    public ConformanceRunner(ConformanceOptions? options = null)
    {
        this.options = options ?? new ConformanceOptions();
        kinds =
        [
            new RecordingKind("p2p", P2pInterpreter.Recognizes, () => new P2pInterpreter(this.options)),
            new RecordingKind("hmm", HmmInterpreter.Recognizes, () => new HmmInterpreter()),
            new RecordingKind("iommufd", IommufdInterpreter.Recognizes, () => new IommufdInterpreter(this.options))
            {
                OwnOperations = ["space", "destroy", "attach", "detach", "access", "translate", "pins", "ranges", "allow", "reserve"],
            },
            new RecordingKind("dma-buf", DmaBufInterpreter.Recognizes, () => new DmaBufInterpreter(this.options))
            {
                OwnOperations = ["timeline", "advance", "fence", "merge", "udmabuf", "heap"],
            },
        ];
    }

    /// <summary>Replays files and folders.</summary>
    /// <param name="paths">The paths.</param>
    /// <param name="onFile">Told each result as it is there; may be left out.</param>
    /// <returns>The report.</returns>
    public ConformanceReport Run(IEnumerable<string> paths, Action<FileResult>? onFile = null)
    {
        ArgumentNullException.ThrowIfNull(paths);
        var results = new List<FileResult>();
        foreach (string path in paths)
        {
            foreach (FileResult result in RunPath(path))
            {
                results.Add(result);
                onFile?.Invoke(result);
                if (results.Count >= options.Limits.MaxFiles)
                {
                    results.Add(Unreadable(path, "too many files", path, $"at most {options.Limits.MaxFiles}"));
                    return new ConformanceReport(results);
                }
            }
        }

        return new ConformanceReport(results);
    }

    /// <summary>Replays one recording.</summary>
    /// <param name="file">What reports call it; <c>.gz</c> at its end says that it is compressed.</param>
    /// <param name="stream">The bytes.</param>
    /// <returns>The result.</returns>
    public FileResult Run(string file, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(stream);
        var log = new ReplayLog(options.Limits.KeptDifferences);
        RecordingError? error = null;
        try
        {
            Replay(file, stream, log);
        }
        catch (RecordingFormatException refused)
        {
            error = refused.Error;
        }

        return new FileResult(file, log.Programs, log.Operations, log.Divergences) { First = log.First, Error = error };
    }

    private static FileResult Unreadable(string file, string what, string found, string allowed) =>
        new(file, 0, 0, 0) { Error = new RecordingError(file, 0, 0, what, found, allowed) };

    private static IEnumerable<string> CollectFiles(string folder)
    {
        var walk = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        return Directory.EnumerateFiles(folder, "*", walk)
            .Where(file => file.EndsWith(".txt", StringComparison.Ordinal)
                || file.EndsWith(".txt.gz", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
    }

    private IEnumerable<FileResult> RunPath(string path)
    {
        if (!Directory.Exists(path))
        {
            yield return RunFile(path);
            yield break;
        }

        bool isEmpty = true;
        foreach (string file in CollectFiles(path))
        {
            isEmpty = false;
            yield return RunFile(file);
        }

        if (isEmpty)
        {
            yield return Unreadable(path, "no recording is in the folder", path, "*.txt and *.txt.gz");
        }
    }

    private FileResult RunFile(string file)
    {
        try
        {
            using FileStream stream = File.OpenRead(file);
            return Run(file, stream);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            return Unreadable(file, "the file cannot be read", refused.Message, "a readable file");
        }
    }

    private void Replay(string file, Stream stream, ReplayLog log)
    {
        using var reader = new RecordingReader(file, stream, options.Limits);
        if (!reader.TryRead(out RecordingLine line))
        {
            throw new RecordingFormatException(new RecordingError(file, 1, 1, "the recording is empty", "", "a recording"));
        }

        bool hasSecond = reader.TryRead(out RecordingLine second);
        using RecordingInterpreter interpreter = KindOf(file, line, second).Create();
        interpreter.Replay(line, log);
        RecordingLine last = line;
        while (hasSecond)
        {
            interpreter.Replay(second, log);
            last = second;
            hasSecond = reader.TryRead(out second);
        }

        interpreter.Finish(last, log);
    }

    // By the first line and the folder; where that could be several kinds', by the first operation.
    private RecordingKind KindOf(string file, RecordingLine first, RecordingLine second)
    {
        string folder = Path.GetFileName(Path.GetDirectoryName(file) ?? "");
        string operation = second.Text?.Split(' ')[0] ?? "";
        return Array.Find(kinds, kind => kind.Recognizes(folder, first))
            ?? Array.Find(kinds, kind => kind.OwnOperations.Contains(operation, StringComparer.Ordinal))
            ?? throw new RecordingFormatException(new RecordingError(
                file, first.Number, 1, "not a kind of recording that can be replayed", first.Text,
                string.Join(", ", kinds.Select(candidate => candidate.Name))));
    }
}
