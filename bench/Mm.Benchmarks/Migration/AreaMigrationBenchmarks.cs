using BenchmarkDotNet.Attributes;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Benchmarks.Migration;

/// <summary>2 MiB of 4 KiB pages to a device and back, everything included: set-up, copies, entries. One operation is one page, one way.</summary>
[MemoryDiagnoser]
public class AreaMigrationBenchmarks
{
    private const int Pages = 512;

    private readonly byte[] word = new byte[8];
    private Machine machine = null!;
    private MirrorDevice device = null!;
    private AddressSpace space = null!;
    private DeviceMirror mirror = null!;
    private VirtRange memory;

    [ParamsAllValues]
    public MirrorMemoryKind Memory { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(64)))
            .Build();
        MirrorDevice? created;
        if (Memory == MirrorMemoryKind.Private)
        {
            MirrorDevice.TryCreatePrivate(machine, "gpu", ByteCount.FromMiB(32), out created).ThrowIfError();
        }
        else
        {
            var window = new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromMiB(32));
            MirrorDevice.TryCreateCoherent(machine, "gpu", window, out created).ThrowIfError();
        }

        device = created!;
        machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        space = process!;
        device.TryOpen(space, out DeviceMirror? opened).ThrowIfError();
        mirror = opened!;
        var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
        space.TryMap(new AreaRequest(new PageCount(Pages).ToBytes(), traits), out memory).ThrowIfError();
        space.TryPopulateWrite(memory.Start, memory.Length).ThrowIfError();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        space.Dispose();
        mirror.Dispose();
        device.Dispose();
        machine.Dispose();
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Pages * 2)]
    public void ThereAndBack()
    {
        RequireAll(mirror.TryMigrateToDevice(memory, out PageCount moved), moved);
        RequireAll(mirror.TryMigrateToSystem(memory, out moved), moved);
    }

    /// <summary>Back by faults of the CPU, a page each, where it cannot address the device's memory.</summary>
    [Benchmark(OperationsPerInvoke = Pages * 2)]
    public void ThereAndBackByTouch()
    {
        RequireAll(mirror.TryMigrateToDevice(memory, out PageCount moved), moved);
        for (ulong page = 0; page < Pages; page++)
        {
            FaultResult result = space.Write(memory.Start.AddChecked(new PageCount(page).ToBytes()), word);
            if (result != FaultResult.Done)
            {
                throw new InvalidOperationException($"the process got a signal: {result}");
            }
        }

        if (Memory == MirrorMemoryKind.Coherent)
        {
            RequireAll(mirror.TryMigrateToSystem(memory, out moved), moved);
        }
    }

    private static void RequireAll(Errno errno, PageCount moved)
    {
        errno.ThrowIfError();
        if (moved.Value != Pages)
        {
            throw new InvalidOperationException($"only {moved} of {Pages} moved");
        }
    }
}
