using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.MachineFiles;

public sealed class MachineFileProperties
{
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public void Read_WhatWasWritten_IsTheSameMachine(int seed)
    {
        TopologySnapshot snapshot = new RandomTopology(seed).Draw().Snapshot;
        string text = MachineFile.Write(snapshot);
        ImportResult result = MachineFile.Read(TestText.Utf8(text), "f", ImportLimits.Default);
        Assert.That(result.Errors, Is.Empty, text);
        TopologyAssert.AreEqual(result.Topology!.Snapshot, snapshot);
        Assert.That(MachineFile.Write(result.Topology!.Snapshot), Is.EqualTo(text));
    }

    [FsCheck.NUnit.Property(MaxTest = 100)]
    public void Read_CutAnywhere_IsRefusedWithAPlace(int seed, ushort cut)
    {
        string text = MachineFile.Write(new RandomTopology(seed).Draw().Snapshot);
        ImportResult result = new MachineImporterContract(new MachineFileImporter()).Import(
            TestText.Utf8(text[..(cut % (text.Length - 2))]), "f", ImportLimits.Default);
        Assert.That(result.IsImported, Is.False);
        Assert.That(result.Errors[0].Position.Line, Is.GreaterThan(0));
    }
}
