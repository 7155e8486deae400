using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Testing.Machines;

namespace Mm.Core.Tests.Spaces;

/// <summary>Page tables against a dictionary from page to entry: random maps, leaves, zaps, protections, moves and splits.</summary>
internal sealed class PageTablesMachine
{
    private const ulong Page = 4096;
    private const int LargePages = 512;

    // Windows of six pages around the ends of tables of every level: 2 MiB, 1 GiB, 512 GiB, half and top of the space.
    private static readonly ulong[] Windows =
        [0, (2UL << 20) - (3 * Page), (1UL << 30) - (3 * Page), (1UL << 39) - (3 * Page), (1UL << 47) - (3 * Page), (1UL << 48) - (6 * Page)];

    private static readonly ulong[] LargePlaces = [0, 2UL << 20, 1UL << 30, 1UL << 47, (1UL << 48) - (2UL << 20)];

    [FsCheck.NUnit.Property(MaxTest = 150)]
    public Property Tables_UnderRandomPrograms_AgreeWithTheDictionary() => new Machine().ToProperty();

    private sealed class Actual : IDisposable
    {
        internal MachineMemory Memory { get; } = new(NativeBacking.OperatingSystem, hugePages: false);

        internal PageTables Tables => tables ??= new PageTables(Memory, new FaultInjector(), tableLimit: 4096);

        private PageTables? tables;

        public void Dispose()
        {
            tables?.Dispose();
            Assert.That(Memory.Ledger.LiveBlocks, Is.Zero);
        }
    }

    private sealed class Machine : ModelMachine<Actual, Dictionary<ulong, Pte>>
    {
        public override int MaxOperations => 40;

        public override Actual StartActual() => new();

        public override Dictionary<ulong, Pte> StartModel() => [];

        public override Gen<MachineOperation<Actual, Dictionary<ulong, Pte>>> Next(Dictionary<ulong, Pte> model) =>
            from verb in Gen.Choose(0, 15)
            from window in Gen.Elements(Windows)
            from first in Gen.Choose(0, 5)
            from count in Gen.Choose(1, 6)
            from place in Gen.Elements(LargePlaces)
            from other in Gen.Elements(Windows)
            from frame in Gen.Choose(1, 1000)
            let pages = Math.Min(count, 6 - first)
            let range = new VirtRange(new VirtAddr(window + ((ulong)first * Page)), new ByteCount((ulong)pages * Page))
            let big = new VirtRange(new VirtAddr(place), new ByteCount(2UL << 20))
            select verb switch
            {
                < 5 => Map(range, frame),
                < 6 => MapLarge(place, frame),
                < 8 => Unmap(range),
                < 9 => Unmap(big),
                < 11 => Protect(range, (PteProtection)(frame % 3)),
                < 12 => Split(place),
                < 14 => Move(range, other),
                < 15 => Move(big, (3UL << 20 << (frame % 2)) + (1UL << 42)),
                _ => Collect(range),
            };

        public override void CheckInvariants(Actual actual, Dictionary<ulong, Pte> model)
        {
            actual.Tables.Validate();
            for (PteKind kind = PteKind.Present; kind < PteKind.Table; kind++)
            {
                Assert.That(actual.Tables.Counts[kind].Value, Is.EqualTo((ulong)model.Values.Count(entry => entry.Kind == kind)));
            }

            ulong seen = 0;
            foreach (PteRun run in actual.Tables.Walk(new VirtRange(default, new ByteCount(1UL << 48))))
            {
                for (int index = 0; !run.IsHole && index < (int)run.Pages.Value; index++)
                {
                    ulong page = run.Start.Value + ((ulong)index * Page);
                    Pte expected = model.GetValueOrDefault(page);
                    if (run[index] != expected || actual.Tables.Read(new VirtAddr(page)) != expected)
                    {
                        Assert.Fail($"at 0x{page:x}: {run[index]}, not {expected}");
                    }

                    seen += expected.IsNone ? 0UL : 1UL;
                }
            }

            Assert.That(seen, Is.EqualTo((ulong)model.Count));
        }

        public override void CheckAtEnd(Actual actual, Dictionary<ulong, Pte> model)
        {
            var all = new VirtRange(default, new ByteCount(1UL << 48));
            actual.Tables.Unmap(all);
            actual.Tables.CollectEmpty(all);
            actual.Tables.Validate();
            Assert.That(actual.Tables.TableCount, Is.EqualTo(1UL));
        }

        private static IEnumerable<ulong> PagesOf(VirtRange range)
        {
            for (ulong offset = 0; offset < range.Length.Value; offset += Page)
            {
                yield return range.Start.Value + offset;
            }
        }

        private static Pte EntryOf(int frame, int index) => ((frame + index) % 6) switch
        {
            0 => Pte.DevicePrivate(new Pfn((ulong)(frame + index)), isWritable: true),
            1 => Pte.Migration(new Pfn((ulong)(frame + index)), MigrationAccess.Readable),
            2 => Pte.Marker(PteMarkers.Poisoned),
            _ => Pte.Present(new Pfn((ulong)(frame + index)), PteProtection.ReadWrite).MakeDirty(),
        };

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Map(VirtRange range, int frame) =>
            MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"map {range} from {frame}",
                (actual, model) =>
                {
                    Pte[] entries = [.. PagesOf(range).Select((_, index) => EntryOf(frame, index))];
                    Errno expected = PagesOf(range).Any(model.ContainsKey) ? Errno.EBUSY : Errno.Ok;
                    Assert.That(actual.Tables.TryMap(range.Start, entries), Is.EqualTo(expected));
                },
                model => PagesOf(range).Any(model.ContainsKey) ? model : With(model, PagesOf(range).Select((page, index) => (page, EntryOf(frame, index)))));

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> MapLarge(ulong place, int frame)
        {
            Pte leaf = Pte.Present(new Pfn((ulong)frame * LargePages), PteProtection.ReadWrite).MakeLarge();
            var range = new VirtRange(new VirtAddr(place), new ByteCount(2UL << 20));
            return MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"map large 0x{place:x} to {frame}",
                (actual, _) =>
                {
                    actual.Tables.CollectEmpty(range);
                    Assert.That(actual.Tables.TryExchangeLarge(range.Start, default, leaf, out Pte _), Is.EqualTo(Errno.Ok));
                },
                model => With(model, PagesOf(range).Select((page, index) => (page, leaf.SplitPart(index)))),
                model => !PagesOf(range).Any(model.ContainsKey));
        }

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Unmap(VirtRange range) =>
            MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"unmap {range}",
                (actual, _) => actual.Tables.Unmap(range),
                model => model.Where(pair => !range.Contains(new VirtAddr(pair.Key))).ToDictionary());

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Protect(VirtRange range, PteProtection protection) =>
            MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"protect {range} {protection}",
                (actual, _) => actual.Tables.Protect(range, protection),
                model => model.ToDictionary(
                    static pair => pair.Key,
                    pair => pair.Value.IsPresent && range.Contains(new VirtAddr(pair.Key)) ? pair.Value.Modify(protection) : pair.Value));

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Split(ulong place) =>
            MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"split 0x{place:x}",
                (actual, model) => Assert.That(
                    actual.Tables.TrySplit(new VirtAddr(place)) && !model.ContainsKey(place), Is.False),
                static model => model);

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Move(VirtRange from, ulong to)
        {
            var target = new VirtRange(new VirtAddr(to), from.Length);
            return MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"move {from} to 0x{to:x}",
                (actual, model) =>
                {
                    Errno expected = PagesOf(target).Any(model.ContainsKey) ? Errno.EBUSY : Errno.Ok;
                    Assert.That(actual.Tables.TryMove(from, target.Start), Is.EqualTo(expected));
                },
                model => PagesOf(target).Any(model.ContainsKey)
                    ? model
                    : model.ToDictionary(
                        pair => from.Contains(new VirtAddr(pair.Key)) ? pair.Key - from.Start.Value + to : pair.Key,
                        static pair => pair.Value),
                _ => !from.Overlaps(target));
        }

        private static MachineOperation<Actual, Dictionary<ulong, Pte>> Collect(VirtRange range) =>
            MachineOperation<Actual, Dictionary<ulong, Pte>>.Of(
                $"collect {range}",
                (actual, _) => actual.Tables.CollectEmpty(range),
                static model => model);

        private static Dictionary<ulong, Pte> With(Dictionary<ulong, Pte> model, IEnumerable<(ulong Page, Pte Entry)> added)
        {
            var after = new Dictionary<ulong, Pte>(model);
            foreach ((ulong page, Pte entry) in added)
            {
                after.Add(page, entry);
            }

            return after;
        }
    }
}
