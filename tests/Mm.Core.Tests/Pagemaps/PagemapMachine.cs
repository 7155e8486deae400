using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Frames;
using Mm.Core.Pagemaps;
using Mm.Testing.Machines;
using static Mm.Core.Tests.Pagemaps.PagemapRig;

namespace Mm.Core.Tests.Pagemaps;

/// <summary>One page map against a model of sets: random hand-outs, puts, lookups and the kill.</summary>
internal sealed class PagemapMachine
{
    [FsCheck.NUnit.Property(MaxTest = 60)]
    public Property PrivateMap_UnderRandomPrograms_AgreesWithTheModel() => new Machine(PagemapKind.DevicePrivate).ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public Property P2pMap_UnderRandomPrograms_AgreesWithTheModel() => new Machine(PagemapKind.PciP2pDma).ToProperty();

    private sealed record Model(ImmutableHashSet<int> Out, int Uses, bool IsKilled)
    {
        internal bool IsDead => IsKilled && Out.IsEmpty && Uses == 0;

        internal PagemapState State =>
            IsDead ? PagemapState.Dead : IsKilled ? PagemapState.Dying : PagemapState.Live;
    }

    private sealed class Actual : IDisposable
    {
        internal Actual(PagemapKind kind)
        {
            Map = Rig.Map(kind, Range(Window, 2 * MiB));
        }

        internal PagemapRig Rig { get; } = new();

        internal Pagemap Map { get; }

        internal Dictionary<int, PageRef> Out { get; } = [];

        internal Stack<PagemapRef> Uses { get; } = [];

        public void Dispose()
        {
            foreach (PageRef page in Out.Values)
            {
                page.Dispose();
            }

            while (Uses.TryPop(out PagemapRef use))
            {
                use.Dispose();
            }

            Rig.Dispose();
        }
    }

    private sealed class Machine(PagemapKind kind) : ModelMachine<Actual, Model>
    {
        public override Actual StartActual() => new(kind);

        public override Model StartModel() => new([], 0, IsKilled: false);

        public override Gen<MachineOperation<Actual, Model>> Next(Model model) =>
            from verb in Gen.Choose(0, 19)
            from page in Gen.Choose(0, 4)
            select verb switch
            {
                < 8 => HandOut(page),
                < 14 => Put(page),
                < 16 => Find(page),
                < 18 => EndUse(),
                _ => Kill(),
            };

        public override void CheckInvariants(Actual actual, Model model)
        {
            bool holdsAll = kind == PagemapKind.PciP2pDma && !model.IsKilled;
            Assert.That(actual.Map.State, Is.EqualTo(model.State));
            Assert.That(
                actual.Map.HeldPages.Value,
                Is.EqualTo(holdsAll ? actual.Map.Pages.Value : (ulong)(uint)model.Out.Count));
            Assert.That(actual.Rig.Frames.HasMetadata(Page(0)), Is.EqualTo(!model.IsDead));
            actual.Rig.Validate();
        }

        private static MachineOperation<Actual, Model> HandOut(int page) => MachineOperation<Actual, Model>.Of(
            $"hand out {page}",
            (actual, model) =>
            {
                Errno expected = model.IsKilled ? Errno.ENODEV : model.Out.Contains(page) ? Errno.EBUSY : Errno.Ok;
                Errno errno = actual.Map.TryHandOut(Page((ulong)(uint)page), out PageRef reference, out PageLock pageLock);
                pageLock.Dispose();
                Assert.That(errno, Is.EqualTo(expected));
                if (errno.IsOk)
                {
                    actual.Out.Add(page, reference);
                }
            },
            model => model.IsKilled ? model : model with { Out = model.Out.Add(page) });

        private static MachineOperation<Actual, Model> Put(int page) => MachineOperation<Actual, Model>.Of(
            $"put {page}",
            (actual, model) =>
            {
                int before = actual.Rig.Ops.Freed.Count;
                Assert.That(actual.Out.Remove(page, out PageRef reference), Is.True);
                reference.Dispose();
                Assert.That(actual.Rig.Ops.Freed, Has.Count.EqualTo(before + 1));
                Assert.That(actual.Rig.Ops.Freed[^1], Is.EqualTo(Page((ulong)(uint)page)));
            },
            model => model with { Out = model.Out.Remove(page) },
            model => model.Out.Contains(page));

        private static MachineOperation<Actual, Model> Find(int page) => MachineOperation<Actual, Model>.Of(
            $"find {page}",
            (actual, model) =>
            {
                bool found = actual.Rig.Registry.TryFind(Page((ulong)(uint)page), out PagemapRef use);
                Assert.That(found, Is.EqualTo(!model.IsKilled));
                if (found)
                {
                    actual.Uses.Push(use);
                }
            },
            model => model.IsKilled ? model : model with { Uses = model.Uses + 1 });

        private static MachineOperation<Actual, Model> EndUse() => MachineOperation<Actual, Model>.Of(
            "end a use",
            (actual, _) => actual.Uses.Pop().Dispose(),
            model => model with { Uses = model.Uses - 1 },
            model => model.Uses > 0);

        private static MachineOperation<Actual, Model> Kill() => MachineOperation<Actual, Model>.Of(
            "kill",
            (actual, _) => actual.Map.Unmap(),
            model => model with { IsKilled = true },
            model => !model.IsKilled);
    }
}
