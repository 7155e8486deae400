using System.Diagnostics;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Benchmarks.Peers;

/// <summary>256 MiB of a process, whose pages lie in RAM in no order, and a device with memory for all of them.</summary>
internal sealed class MigrationWorkload
{
    private const int Pages = 1 << 16; // of 4 KiB
    private const ulong Seed = 17;

    private readonly byte[] word = new byte[8];
    private readonly int count; // of pages of the workload's size
    private readonly AddressSpace space;
    private readonly DeviceMirror mirror;
    private readonly VirtRange memory;

    /// <summary>Fills the process.</summary>
    /// <param name="size">Of its pages: those of 2 MiB move whole, as Linux has it since v6.19.</param>
    internal MigrationWorkload(PageSize size)
    {
        bool isLarge = size == PageSize.Large;
        count = Pages / (int)size.Pages.Value;
        Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(768)))
            .WithHugePages() // as the peers' memory
            .WithProfile(isLarge ? LinuxProfile.V619 : LinuxProfile.V612)
            .Build();
        MirrorDevice.TryCreatePrivate(machine, "gpu", new PageCount(Pages).ToBytes(), out MirrorDevice? device).ThrowIfError();
        machine.Spaces.TryCreate(out AddressSpace? process).ThrowIfError();
        space = process!;
        device!.TryOpen(space, out DeviceMirror? opened).ThrowIfError();
        mirror = opened!;
        var request = new AreaRequest(new PageCount(Pages).ToBytes(), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite))
        {
            At = new VirtAddr(0x1000_0000_0000),
            Placement = AreaPlacement.Fixed,
        };
        space.TryMap(request, out memory).ThrowIfError();
        space.TryWantHugePages(memory.Start, memory.Length, wanted: isLarge).ThrowIfError();
        int[] order = [.. Enumerable.Range(0, count)];
        Xorshift.Shuffle(order.AsSpan(), Seed);
        foreach (int page in order)
        {
            Touch((ulong)page * size.Pages.Value);
        }
    }

    /// <summary>To the device and back; a figure is one page, one way.</summary>
    internal Repetition ThereAndBack()
    {
        long begin = Stopwatch.GetTimestamp();
        RequireAll(mirror.TryMigrateToDevice(memory, out PageCount moved), moved);
        RequireAll(mirror.TryMigrateToSystem(memory, out moved), moved);
        return new Repetition(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / (2 * count), 0);
    }

    /// <summary>The CPU touches page after page that is on the device: fault, allocation, copy, mapping, and on.</summary>
    internal Repetition Faults()
    {
        RequireAll(mirror.TryMigrateToDevice(memory, out PageCount moved), moved);
        long begin = Stopwatch.GetTimestamp();
        for (ulong page = 0; page < Pages; page++)
        {
            Touch(page);
        }

        return new Repetition(Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Pages, 0);
    }

    private static void RequireAll(Errno errno, PageCount moved)
    {
        errno.ThrowIfError();
        if (moved.Value != Pages)
        {
            throw new InvalidOperationException($"only {moved} of {Pages} pages moved");
        }
    }

    private void Touch(ulong page)
    {
        FaultResult result = space.Write(memory.Start.AddChecked(new PageCount(page).ToBytes()), word);
        if (result != FaultResult.Done)
        {
            throw new InvalidOperationException($"the process got a signal: {result}");
        }
    }
}
