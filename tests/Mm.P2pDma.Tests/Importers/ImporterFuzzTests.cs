using Mm.Core;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Lspci;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

/// <summary>Ten thousand damaged files of all formats: each imports or is refused with reasons; none crashes, hangs or takes memory without bound.</summary>
/// <remarks>
/// "Hangs" are found by work, not by clocks: what an importer allocates is bounded by a multiple of the file's length, and
/// every loop of an importer allocates. A failure prints the number of its case, which alone makes the file again.
/// </remarks>
[Category("Fuzz")]
public sealed class ImporterFuzzTests
{
    private const int Cases = 10_000;
    private const int Parts = 4;
    private const int MinReasons = 40;

    // Fixed costs are the buffers of readers and unpackers (bzip2's largest block alone takes 5 MiB).
    private const long FixedBytes = 12L << 20;
    private const long BytesForEachByte = 400;

    private static readonly ImportLimits Limits = ImportLimits.Default with
    {
        MaxFileSize = ByteCount.FromMiB(4),
        MaxUnpackedSize = ByteCount.FromMiB(4),
        MaxElements = 50_000,
    };

    private readonly HashSet<string> reasons = new(StringComparer.Ordinal);
    private FuzzCorpus corpus = null!;

    [OneTimeSetUp]
    public void LoadCorpus() => corpus = new FuzzCorpus();

    [Test]
    public void Open_DamagedFile_ImportsOrRefuses([Range(0, Parts - 1)] int part)
    {
        int imported = 0;
        reasons.Clear();
        for (int index = part; index < Cases; index += Parts)
        {
            imported += Run(index) ? 1 : 0;
        }

        TestContext.Out.WriteLine($"{Cases / Parts} damaged files: {imported} imported, the others refused for {reasons.Count} kinds of reasons");
        Assert.That(reasons, Has.Count.GreaterThan(MinReasons), "a fuzz that meets few rules tests little");
        Assert.That(imported, Is.InRange(1, (Cases / Parts) - 1), "a fuzz that never or always imports tests nothing");
    }

    [Test]
    public void Open_SameFilesAgain_LeakNothing()
    {
        RunSome();
        long before = GC.GetTotalMemory(forceFullCollection: true);
        RunSome();
        long after = GC.GetTotalMemory(forceFullCollection: true);

        Assert.That(after - before, Is.LessThan(4L << 20), "bytes still held");
    }

    private void RunSome()
    {
        for (int index = 0; index < 300; index++)
        {
            Run(index);
        }
    }

    private bool Run(int index)
    {
        (string name, byte[] bytes) = corpus.Case(index);
        using var stream = new MemoryStream(bytes, writable: false);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ImportResult result;
        try
        {
            result = MachineImport.Open(stream, "file", Limits);
        }
        catch (Exception exception)
        {
            throw new AssertionException($"case {index} ({name}, {bytes.Length} bytes) threw {exception}", exception);
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        if (allocated > FixedBytes + (BytesForEachByte * bytes.Length))
        {
            throw new AssertionException($"case {index} ({name}, {bytes.Length} bytes) allocated {allocated} bytes");
        }

        reasons.UnionWith(result.Errors.Select(error => error.What));
        CheckResult(result, $"case {index} ({name})");
        return result.IsImported;
    }

    private static void CheckResult(ImportResult result, string what)
    {
        bool isSound = IsPlain(result.ToString()) && result.IsImported == (result.Errors.Count == 0);
        foreach (ImportError error in result.Errors)
        {
            isSound &= error.Position.File.StartsWith("file", StringComparison.Ordinal) && IsPlain(error.ToString());
        }

        isSound &= result.Notes.All(note => IsPlain(note.ToString()));
        if (!isSound)
        {
            throw new AssertionException($"{what}: unsound result {result}");
        }

        if (result.IsImported)
        {
            // Whatever imports is a tree that can be walked and written.
            using var output = new StringWriter();
            _ = LspciHexWriter.Write(result.Topology.Snapshot, output);
            foreach (PciFunction function in result.Topology.Snapshot.Functions)
            {
                _ = result.Topology.Snapshot.ParentOf(function);
            }
        }
    }

    // Messages go to terminals.
    private static bool IsPlain(string text) => !text.Any(char.IsControl);
}
