using System.Diagnostics;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Tests.Importers.Sysfs;

// A function's folder is called 0000:00:01.0, which only Unix lets one write.
[Platform("Unix")]
public sealed class SysfsFolderTests
{
    private string folder = "";

    [SetUp]
    public void MakeFolder() => folder = Directory.CreateTempSubdirectory("mm-sysfs-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(folder, recursive: true);

    private static string[] Describe(ImportResult result) =>
        [.. result.Topology!.Snapshot.Functions.Select(f => $"{f} {f.Parent} {f.PortType} {f.Node} {f.IommuGroup} {string.Join(',', f.Bars)}")];

    [Test]
    public void Import_Folder_EqualsItsArchive()
    {
        SysfsSample sample = SysfsSample.Create();
        sample.ToFolder(folder);

        ImportResult result = MachineImport.Open(folder);

        Assert.That(result.Errors, Is.Empty);
        Assert.That(Describe(result), Is.EqualTo(Describe(MachineImport.Open(new MemoryStream(sample.ToTar()), "box.tar"))));
    }

    [Test]
    public void Import_SysItself_IsATree()
    {
        SysfsSample.Create().ToFolder(folder);

        ImportResult result = MachineImport.Open(Path.Combine(folder, "sys"));

        Assert.That(result.Topology!.Snapshot.Functions, Has.Count.EqualTo(3));
    }

    [Test]
    public void Import_LinkOutOfTheFolder_IsNotFollowed()
    {
        string outside = Directory.CreateTempSubdirectory("mm-outside-").FullName;
        try
        {
            SysfsSample.Create().ToFolder(outside);
            SysfsSample.Create().ToFolder(folder);
            Directory.Delete(Path.Combine(folder, SysfsSample.Nvme), recursive: true);
            Directory.CreateSymbolicLink(Path.Combine(folder, SysfsSample.Nvme), Path.Combine(outside, SysfsSample.Nvme));

            ImportResult result = MachineImport.Open(folder);

            Assert.Multiple(() =>
            {
                Assert.That(result.Topology!.Snapshot.TryFind(PciAddress.Parse("00:02.0"), out PciFunction? function), Is.True);
                Assert.That(function!.Id, Is.Null, "what is outside stays unread");
            });
        }
        finally
        {
            Directory.Delete(outside, recursive: true);
        }
    }

    [Test]
    public void Import_EntryLinkThatLeaves_IsRefused()
    {
        SysfsSample sample = SysfsSample.Create();
        sample.Links["sys/bus/pci/devices/0000:00:01.0"] = "/etc";
        sample.ToFolder(folder);

        Assert.That(MachineImport.Open(folder).Errors.Single().What, Is.EqualTo("the link leaves the tree"));
    }

    [Test]
    public void Import_FolderWithoutTree_IsRefused() =>
        Assert.That(MachineImport.Open(folder).Errors.Single().What, Is.EqualTo("there is no sysfs tree in the folder"));

    // Opening a pipe that nobody writes to blocks for ever: without the check this test would not end.
    [TestCase("vendor")]
    [TestCase("config")]
    [TestCase("resource")]
    [Platform("Linux")]
    [CancelAfter(30_000)]
    public void Import_PipeInPlaceOfAFile_IsNotOpened(string name, CancellationToken stop)
    {
        SysfsSample.Create().ToFolder(folder);
        string pipe = Path.Combine(folder, SysfsSample.Gpu, name);
        File.Delete(pipe);
        MakePipe(pipe);

        ImportResult result = Task.Run(() => MachineImport.Open(folder), stop).WaitAsync(stop).GetAwaiter().GetResult();

        Assert.Multiple(() =>
        {
            Assert.That(result.Errors, Is.Empty);
            Assert.That(result.Topology!.Snapshot.Functions, Has.Count.EqualTo(3), "its folder still tells that it is there");
            Assert.That(
                result.Notes.Select(note => note.ToString()),
                Has.One.Contains($"{SysfsSample.Gpu}/{name}: note: the file is empty, or no regular file"));
        });
    }

    [Test]
    [Platform("Linux")]
    [CancelAfter(30_000)]
    public void Import_PipeInPlaceOfAFileOnTheWay_IsPassedOver(CancellationToken stop)
    {
        SysfsSample.Create().ToFolder(folder);
        MakePipe(Path.Combine(folder, "sys/devices/pipe"));
        File.Delete(Path.Combine(folder, "proc/cpuinfo"));
        MakePipe(Path.Combine(folder, "proc/cpuinfo"));

        ImportResult result = Task.Run(() => MachineImport.Open(folder), stop).WaitAsync(stop).GetAwaiter().GetResult();

        Assert.That(result.Topology!.Snapshot.Hosts.Single().Cpu.Vendor, Is.EqualTo(CpuVendor.Unknown));
    }

    private static void MakePipe(string path)
    {
        using Process made = Process.Start("mkfifo", [path]);
        made.WaitForExit();
        Assert.That(made.ExitCode, Is.Zero, "mkfifo is part of every Linux");
    }

    [Test]
    public void Import_Limits_AreKept()
    {
        SysfsSample.Create().ToFolder(folder);

        Assert.Multiple(() =>
        {
            Assert.That(
                MachineImport.Open(folder, ImportLimits.Default with { MaxMembers = 5 }).Errors.Single().What,
                Is.EqualTo("the folder has too many entries"));
            Assert.That(
                MachineImport.Open(folder, ImportLimits.Default with { MaxMemberSize = new(10) }).Errors.Single().What,
                Is.EqualTo("the file is too large"));
        });
    }
}
