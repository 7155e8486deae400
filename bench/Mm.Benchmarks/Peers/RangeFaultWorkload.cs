using System.Diagnostics;
using Mm.Core;
using Mm.Core.Notifiers;
using Mm.Core.Spaces;
using Mm.Hmm.Faulting;

namespace Mm.Benchmarks.Peers;

/// <summary>The workloads of <c>pagetable.c</c> through the public API: a populated 1 GiB, locks and sequences included.</summary>
internal sealed class RangeFaultWorkload
{
    private const int Pages = 1 << 18;
    private const int Passes = 16; // as in the peer: one alone is over in 60 microseconds, most of them for a cold start

    private static readonly VirtRange Memory = new(new VirtAddr(0x1000_0000_0000), ByteCount.FromGiB(1));
    private static readonly ByteCount Window = ByteCount.FromKiB(64);

    private readonly AddressSpace space;
    private readonly IntervalNotifier notifier;
    private readonly HmmRange whole;
    private readonly HmmRange window;

    internal RangeFaultWorkload()
    {
        Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(1536)))
            .Build();
        machine.Spaces.TryCreate(out AddressSpace? created).ThrowIfError();
        space = created!;
        var request = new AreaRequest(Memory.Length, new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite))
        {
            At = Memory.Start,
            Placement = AreaPlacement.Fixed,
        };
        space.TryMap(request, out _).ThrowIfError();
        space.TryPopulateWrite(Memory.Start, Memory.Length).ThrowIfError();
        space.Notifiers.TryInsert(Memory.Start, Memory.Length, new Listener(), out IntervalNotifier? inserted).ThrowIfError();
        notifier = inserted!;
        whole = new HmmRange(notifier);
        whole.Reset(Memory); // once: a device that asks again for the same range clears nothing, nor does the peer
        window = new HmmRange(notifier);
    }

    /// <summary>A call for all of it.</summary>
    internal Repetition Whole()
    {
        long begin = Stopwatch.GetTimestamp();
        for (int pass = 0; pass < Passes; pass++)
        {
            Fault(whole);
        }

        double nanoseconds = Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Passes / Pages;
        return new Repetition(nanoseconds, CountWritable(whole));
    }

    /// <summary>A call for each 64 KiB.</summary>
    internal Repetition Windows()
    {
        long begin = Stopwatch.GetTimestamp();
        for (int pass = 0; pass < Passes; pass++)
        {
            for (ulong at = 0; at < Memory.Length.Value; at += Window.Value)
            {
                FaultWindow(at);
            }
        }

        double nanoseconds = Stopwatch.GetElapsedTime(begin).TotalNanoseconds / Passes / Pages;
        ulong valid = 0; // in a pass of its own, since the window's words are used again
        for (ulong at = 0; at < Memory.Length.Value; at += Window.Value)
        {
            FaultWindow(at);
            valid += CountWritable(window);
        }

        return new Repetition(nanoseconds, valid);
    }

    private void FaultWindow(ulong offset)
    {
        window.Reset(new VirtRange(new VirtAddr(Memory.Start.Value + offset), Window));
        Fault(window);
    }

    private void Fault(HmmRange range)
    {
        range.Sequence = notifier.ReadBegin();
        RangeFault.TryFault(space, range).ThrowIfError();
    }

    private static ulong CountWritable(HmmRange range)
    {
        ulong valid = 0;
        foreach (HmmPfn page in range.Pfns)
        {
            valid += page.IsWritable ? 1UL : 0;
        }

        return valid;
    }

    private sealed class Listener : IIntervalListener
    {
        public bool Invalidate(IntervalNotifier notifier, in NotifierRange range, NotifierSequence sequence)
        {
            notifier.SetSequence(sequence);
            return true;
        }
    }
}
