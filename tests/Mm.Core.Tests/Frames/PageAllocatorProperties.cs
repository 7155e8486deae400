using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Frames;
using static Mm.Core.Tests.Frames.FrameMachines;

namespace Mm.Core.Tests.Frames;

/// <summary>Random programs of takes, gets, pins and puts against a naive model that keeps a set of frames.</summary>
public sealed class PageAllocatorProperties
{
    /// <summary>One step: what to do, with an order or a choice among what is held.</summary>
    public readonly record struct Step(byte Kind, byte Argument);

    public static Arbitrary<Step[]> Programs() =>
        (from kind in Gen.Choose(0, 6)
         from argument in Gen.Choose(0, 255)
         select new Step((byte)kind, (byte)argument)).ArrayOf().Resize(300).ToArbitrary();

    [FsCheck.NUnit.Property(Arbitrary = [typeof(PageAllocatorProperties)], MaxTest = 60)]
    public void Program_AgreesWithTheModel(Step[] program)
    {
        using Machine machine = WithCma();
        var held = new List<PageRef>();
        var pins = new List<PagePin>();
        var counts = new Dictionary<Pfn, uint>(); // head → references the model knows of
        foreach (Step step in program)
        {
            Apply(machine, step, held, pins, counts);
        }

        foreach ((Pfn head, uint count) in counts)
        {
            Assert.That(machine.Frames.Describe(head).References, Is.EqualTo(count));
        }

        machine.Validate();
        pins.ForEach(pin => pin.Dispose());
        held.PutAll();
        Assert.That(machine.Allocator.Statistics.InUse.IsZero, Is.True);
        machine.Allocator.DrainStacks();
        machine.Validate();
    }

    private static void Apply(
        Machine machine, Step step, List<PageRef> held, List<PagePin> pins, Dictionary<Pfn, uint> counts)
    {
        if (step.Kind <= 2)
        {
            AllocationRequest request = step.Kind == 0 ? AllocationRequest.User : AllocationRequest.Kernel;
            if (machine.Allocator.TryAllocate(request with { Order = step.Argument % 11 }, out PageRef page).IsOk)
            {
                Assert.That(counts.Keys.Any(other => page.Frames.Contains(other)), Is.False, "no frame is given twice");
                held.Add(page);
                counts.Add(page.Page, 1);
            }

            return;
        }

        if (held.Count == 0)
        {
            return;
        }

        int index = step.Argument % held.Count;
        PageRef chosen = held[index];
        uint bias = chosen.Frames.Count == PageCount.One ? PageCountWord.PinBias : 1;
        switch (step.Kind)
        {
            case 3:
                Assert.That(chosen.TryAddReference(out PageRef again), Is.EqualTo(Errno.Ok));
                held.Add(again);
                counts[chosen.Page]++;
                break;
            case 4 when pins.Count < 100:
                Assert.That(chosen.TryPin(out PagePin pin), Is.EqualTo(Errno.Ok));
                pins.Add(pin);
                counts[chosen.Page] += bias;
                break;
            default:
                held.RemoveAt(index);
                if (--counts[chosen.Page] == 0)
                {
                    counts.Remove(chosen.Page);
                }

                chosen.Dispose();
                break;
        }
    }
}
