using System.Globalization;
using Mm.Core;
using Mm.Devices.Gpus;
using Mm.Devices.Ledgers;
using Mm.DmaBuf;
using Mm.Hmm.Copying;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Topologies;

namespace Mm.Devices.Tests.Soak;

/// <summary>All devices on one machine, at work by the numbers of one seed; every byte is known to a plain array, too.</summary>
/// <remarks>Each step is noted, so that a run that fails can be read and run again.</remarks>
internal sealed partial class SoakMachine : IDisposable
{
    private const int Page = 4096;
    private static readonly PciPlace GpuPlace = PciAddress.Parse("0000:03:00.0");

    private readonly MachineRandom random;
    private bool hasFailed;
    private bool isEnding;
    private readonly List<string> steps = [];
    private readonly SortedDictionary<string, int> counts = new(StringComparer.Ordinal);

    internal SoakMachine(ulong seed)
    {
        Machine = Machine.CreateBuilder().WithSeed(seed)
            .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(64))).Build();
        random = Machine.CreateRandom("soak");
        Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
        Pci = new PciSystem(Machine, topology!);
        System = new BufferSystem(Machine);
        AddFunction("0000:04:00.0", "0000:04:00.1");
        AddFunction("0000:08:00.0", "0000:08:00.1");
        StartGpu();
        StartProcesses();
        StartWire();
        StartDrive();
        StartCard();
        StartVfio();
    }

    internal Machine Machine { get; }

    internal PciSystem Pci { get; }

    internal BufferSystem System { get; }

    /// <summary>How often each kind of step did its work.</summary>
    internal IReadOnlyDictionary<string, int> Counts => counts;

    private IModelDevice[] Devices => [gpu, drive, near.Nic, across.Nic, card, vfio];

    /// <summary>Runs so many steps; what fails tells how it came to it.</summary>
    internal void Run(int count, int validateEvery)
    {
        try
        {
            for (int step = 1; step <= count; step++)
            {
                Step();
                if (step % validateEvery == 0)
                {
                    Validate();
                }
            }

            CheckAll();
        }
        catch (Exception thrown)
        {
            hasFailed = true;
            TestContext.Out.WriteLine($"seed {Machine.Seed}, validated every {validateEvery} steps, failed at step {steps.Count}: {thrown.Message}");
            steps.ForEach(TestContext.Out.WriteLine);
            throw;
        }
    }

    public void Dispose()
    {
        if (hasFailed)
        {
            File.Delete(diskPath); // the rest is as the failure left it, and the failure is what is to be told
            return;
        }

        isEnding = true;
        StopCard();
        StopWire();
        StopVfio();
        StopDrive();
        StopProcesses();
        StopGpu();
        LifetimeLedger left = LifetimeLedger.Of(Devices);
        Assert.That(left.IsEmpty, Is.True, left.ToTable(Machine.DeviceName));
        Assert.That(System.Buffers.Count, Is.Zero, "a buffer is left");
        Pci.Validate();
        System.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
        Assert.That(File.Exists(diskPath), Is.False, "a file is left");
    }

    private void Step()
    {
        (string Name, int Weight, Action Do)[] actions =
        [
            ("cpu write", 6, WriteByCpu), ("gpu write", 6, WriteByGpu), ("check", 6, CheckProcess), ("fork", 3, Fork), ("evict", 1, Evict),
            ("bo create", 4, CreateObject), ("bo write", 5, WriteObject), ("bo move", 5, MoveObject), ("bo import", 5, ImportObject),
            ("bo close", 2, CloseObject), ("press", 1, Press), ("disk ram", 4, MoveDiskAndRam), ("disk cmb", 4, MoveDiskAndBuffer),
            ("disk gpu", 4, MoveDiskAndGpu), ("register", 4, Register), ("rdma", 14, MoveByRdma), ("atomic", 4, AddByRdma),
            ("deregister", 2, Deregister), ("peer", 1, TakePeerAway), ("receive", 8, Receive), ("bind", 2, Bind), ("unbind", 1, Unbind), ("iommu map", 3, MapIo),
            ("iommu dma", 6, MoveByVfio), ("bar", 4, MoveBar), ("decode", 2, SwitchDecoding), ("reset", 2, ResetOne), ("remove", 1, RemoveOne),
        ];
        int at = Below(actions.Sum(static action => action.Weight));
        foreach ((string name, int weight, Action act) in actions)
        {
            at -= weight;
            if (at < 0)
            {
                steps.Add(string.Create(CultureInfo.InvariantCulture, $"{steps.Count + 1} {name}"));
                act();
                return;
            }
        }
    }

    private int Below(int bound) => (int)random.NextBelow((ulong)bound);

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        random.Fill(bytes);
        return bytes;
    }

    private void Note(string what)
    {
        counts[what] = counts.GetValueOrDefault(what) + 1;
        steps[^1] += $"; {what}";
    }

    private void ResetOne()
    {
        IModelDevice device = Devices[Below(6)];
        Note($"reset {device.Name}");
        device.Reset();
        gpuResets += device == gpu ? 1 : 0;
    }

    private void RemoveOne()
    {
        int which = Below(5);
        (Action stop, Action start) = which switch
        {
            0 => ((Action)StopCard, (Action)StartCard),
            1 => (StopWire, StartWire),
            2 => (StopVfio, StartVfio),
            3 => (StopDrive, StartDrive),
            _ => (StopGpu, StartGpu),
        };
        Note($"remove {which}");
        stop();
        start();
    }

    private void Validate()
    {
        Pci.Validate();
        System.Validate();
        gpu.Validate();
        card.Validate();
        io.Validate();
        _ = LifetimeLedger.Of(Devices).ToTable(Machine.DeviceName);
    }

    private void CheckAll()
    {
        Validate();
        foreach (SoakProcess process in processes)
        {
            Check(process);
        }

        objects.ForEach(Check);
        Assert.That(File.ReadAllBytes(diskPath).AsSpan().SequenceEqual(disk), Is.True, "the file");
    }

    private void StartGpu()
    {
        var options = new GpuOptions
        {
            Memory = ByteCount.FromMiB(4),
            Visible = ByteCount.FromMiB(1),
            Drive = CopyEngineDrive.Stepped,
        };
        Gpu.TryCreate(Pci, System, GpuPlace, options, out Gpu? made).ThrowIfError();
        gpu = made!;
        Share();
    }

    private void AddFunction(string like, string place)
    {
        PciFunction function = Pci.Devices.Collect().Single(device => device.Place == PciAddress.Parse(like)).Function;
        Pci.TryAdd(function with { Address = PciAddress.Parse(place), Bars = [], OsDevices = [], Label = null }, out _).ThrowIfError();
    }
}
