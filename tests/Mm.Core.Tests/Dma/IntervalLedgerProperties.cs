using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Dma;

namespace Mm.Core.Tests.Dma;

public sealed class IntervalLedgerProperties
{
    /// <summary>Whatever comes and goes: what is found is what a look at every run finds.</summary>
    [FsCheck.NUnit.Property(MaxTest = 200)]
    public Property TryFind_AfterAnyProgram_IsWhatAScanFinds()
    {
        Arbitrary<(int What, int Start, int Length, int Count)[]> programs = Gen.Choose(0, 9)
            .SelectMany(static what => Gen.Choose(0, 2000).SelectMany(start => Gen.Choose(1, 60).SelectMany(length => Gen.Choose(1, 130)
                .Select(count => (what, start, length, count)))))
            .ArrayOf().ToArbitrary();
        return Prop.ForAll(programs, Run);
    }

    private static void Run((int What, int Start, int Length, int Count)[] program)
    {
        using var rig = new DmaRig();
        var ledger = new IntervalLedger();
        DmaDevice device = rig.Direct();
        DmaMapping[] mappings = [.. new[] { DmaDirection.ToDevice, DmaDirection.FromDevice }.Select(direction => MapOf(rig, device, direction))];
        var model = new List<(IntervalLedger.Block[] Blocks, LedgerRun[] Runs, DmaMapping Mapping)>();
        foreach ((int what, int start, int length, int count) in program)
        {
            if (what < 4)
            {
                // Runs that touch, overlap, or leave holes, by the step between them.
                LedgerRun[] runs = [.. Enumerable.Range(0, count).Select(at =>
                    new LedgerRun((ulong)(start + (at * (what + 1) * 10)), (ulong)length, new PhysAddr((ulong)at)))];
                DmaMapping mapping = mappings[count % 2];
                model.Add((ledger.Add([.. runs], mapping), runs, mapping));
            }
            else if (what < 6 && model.Count > 0)
            {
                ledger.Remove(model[start % model.Count].Blocks);
                model.RemoveAt(start % model.Count);
            }
            else
            {
                AssertFindsTheSame(ledger, model, (ulong)start, (ulong)length, (IoAccess)(what % 3));
            }
        }

        Assert.That(ledger.Count, Is.EqualTo(model.Sum(static entry => entry.Runs.Length)));
        ledger.Validate();
        Array.ForEach(mappings, static mapping => mapping.Dispose());
    }

    private static void AssertFindsTheSame(
        IntervalLedger ledger,
        List<(IntervalLedger.Block[] Blocks, LedgerRun[] Runs, DmaMapping Mapping)> model,
        ulong start,
        ulong length,
        IoAccess access)
    {
        ulong last = start + (length - 1);
        DmaMapping? wanted = model
            .Where(entry => entry.Runs.Any(run => run.Start <= last && run.Last >= start))
            .Select(static entry => entry.Mapping)
            .OrderBy(mapping => access == IoAccess.None || mapping.Permits(access)) // stable: the newest of the better ones is last
            .LastOrDefault();
        bool has = ledger.TryFind(start, length, access, out LedgerRun run, out DmaMapping? found);
        Assert.That((has, found), Is.EqualTo((wanted is not null, wanted)));
        Assert.That(!has || (run.Start <= last && run.Last >= start), Is.True);
    }

    private static DmaMapping MapOf(DmaRig rig, DmaDevice device, DmaDirection direction)
    {
        device.TryMap(rig.List(DmaRig.Range(0x200_0000, 1)), direction, out DmaMapping? mapping).ThrowIfError();
        return mapping!;
    }
}
