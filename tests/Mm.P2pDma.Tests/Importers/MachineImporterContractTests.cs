using Mm.Core.Checks;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers;

public sealed class MachineImporterContractTests
{
    private static readonly ImportError Error = new(new ImportPosition("f", 1, 1), "w", "", "");

    [Test]
    public void Import_GoodImporter_PassesThrough()
    {
        var contract = new MachineImporterContract(new Fake { Result = ImportResult.Refused("fake", [Error]) });
        Assert.That(contract.Format, Is.EqualTo("fake"));
        Assert.That(contract.Sniff([], ""), Is.EqualTo(SniffConfidence.Likely));
        Assert.That(contract.Import(TestText.Utf8(""), "f", ImportLimits.Default).Errors, Is.EqualTo(new[] { Error }));
    }

    [TestCase("")]
    [TestCase("Fake")]
    [TestCase("fa ke")]
    public void Format_BadName_IsABug(string name) =>
        Assert.That(() => new MachineImporterContract(new Fake { Format = name }).Format, Throws.InstanceOf<MmBugException>());

    [Test]
    public void Sniff_UndefinedAnswer_IsABug() =>
        Assert.That(
            () => new MachineImporterContract(new Fake { Confidence = (SniffConfidence)9 }).Sniff([], ""),
            Throws.InstanceOf<MmBugException>());

    [Test]
    public void Import_BrokenPromise_IsABug()
    {
        Assert.That(() => Import(new Fake { Result = ImportResult.Refused("fake", [Error]), Closes = true }), Throws.InstanceOf<MmBugException>());
        Assert.That(() => Import(new Fake { Result = ImportResult.Refused("", [Error]) }), Throws.InstanceOf<MmBugException>());
        Assert.That(
            () => Import(new Fake { Result = ImportResult.Refused("fake", [.. Enumerable.Repeat(Error, 21)]) }),
            Throws.InstanceOf<MmBugException>());
        var elsewhere = new ImportError(new ImportPosition("g", 1, 1), "w", "", "");
        Assert.That(() => Import(new Fake { Result = ImportResult.Refused("fake", [elsewhere]) }), Throws.InstanceOf<MmBugException>());
        var mute = new ImportError(new ImportPosition("f", 1, 1), "", "", "");
        Assert.That(() => Import(new Fake { Result = ImportResult.Refused("fake", [mute]) }), Throws.InstanceOf<MmBugException>());
    }

    [Test]
    public void Refused_WithoutErrors_Throws() =>
        Assert.That(() => ImportResult.Refused("fake", []), Throws.ArgumentException);

    [Test]
    public void Imported_Topology_HasNoErrors()
    {
        ImportResult result = ImportResult.Imported("fake", new TopologyBuilder().Build(), []);
        Assert.That(result.IsImported, Is.True);
        Assert.That(result.Errors, Is.Empty);
    }

    private static ImportResult Import(Fake fake) =>
        new MachineImporterContract(fake).Import(TestText.Utf8(""), "f", ImportLimits.Default);

    private sealed class Fake : IMachineImporter
    {
        public string Format { get; init; } = "fake";

        public SniffConfidence Confidence { get; init; } = SniffConfidence.Likely;

        public ImportResult? Result { get; init; }

        public bool Closes { get; init; }

        public SniffConfidence Sniff(ReadOnlySpan<byte> header, string name) => Confidence;

        public ImportResult Import(Stream stream, string name, ImportLimits limits)
        {
            if (Closes)
            {
                stream.Dispose();
            }

            return Result!;
        }
    }
}
