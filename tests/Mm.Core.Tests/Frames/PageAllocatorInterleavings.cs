using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

/// <summary>Threads against the compare-and-swap loop, the biased stacks and the zone locks.</summary>
public sealed class PageAllocatorInterleavings
{
    [Test]
    public void TwoThreads_TakeHoldAndPutEachOthersPages_AndNothingIsLost()
    {
        using Machine machine = OneNode();
        var slots = new PageRef[64];
        var gates = Enumerable.Range(0, slots.Length).Select(_ => new Lock()).ToArray();
        using var start = new Barrier(3);
        var failures = new List<Exception>();
        Thread[] threads = [.. Enumerable.Range(1, 2).Select(seed => new Thread(() =>
        {
            try
            {
                start.SignalAndWait();
                Churn(machine, slots, gates, (uint)seed * 0x12345677u);
            }
            catch (Exception exception)
            {
                lock (failures)
                {
                    failures.Add(exception);
                }
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        start.SignalAndWait();
        for (int i = 0; i < 50; i++)
        {
            machine.Allocator.DrainStacks(); // a visitor to both stacks while they are busy
        }

        Array.ForEach(threads, thread => thread.Join());
        Assert.That(failures, Is.Empty);
        machine.Validate();
        foreach (PageRef page in slots)
        {
            page.Dispose();
        }

        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Validate();
    }

    private static void Churn(Machine machine, PageRef[] slots, Lock[] gates, uint state)
    {
        int[] orders = [0, 0, 0, 0, 1, 3, 9];
        for (int i = 0; i < 20_000; i++)
        {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            int slot = (int)(state % (uint)slots.Length);
            AllocationRequest request = (state & 64) != 0 ? AllocationRequest.User : AllocationRequest.Kernel;
            PageRef before;
            _ = machine.Allocator.TryAllocate(request with { Order = orders[(int)((state >> 8) % (uint)orders.Length)] }, out PageRef page);
            lock (gates[slot])
            {
                (before, slots[slot]) = (slots[slot], page);
            }

            // Others may look the frame up at any time: a reference taken so is put again, whatever became of the page.
            if (machine.Frames.TryGet(new Pfn(state % 4096), out PageRef looked).IsOk)
            {
                looked.Dispose();
            }

            before.Dispose();
        }
    }
}
