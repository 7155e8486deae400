using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using Mm.Testing.Machines;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// One map call's pages against a multiset of intervals: random copies into two spaces, domains and accesses that come and
/// go. A page is pinned once if an interval covers it, else not at all.
/// </summary>
internal sealed class IoPagesMachine
{
    private const int Pages = 24;
    private const int Slots = 6;
    private const ulong Page = IommufdRig.Page;

    [FsCheck.NUnit.Property(MaxTest = 200)]
    public Property Pages_UnderRandomPrograms_ArePinnedOnceIfAnybodyCoversThem() =>
        new Machine(static machine => new IommufdContext(machine)).ToProperty();

    /// <summary>The fault of 727c28c1cef2, put back: unmapping unpins what an access holds.</summary>
    [Test]
    public void Pages_WithUnpinningUnderAnAccess_AreCaught() =>
        AssertCaught(static machine => new IommufdContext(machine) { UnpinsUnderAccess = true });

    /// <summary>The fault of 13a0d1ae7ee6, put back: a carry over pages that stay pinned names the wrong pages.</summary>
    [Test]
    public void Pages_WithCarryOfTheWrongEnd_AreCaught() =>
        AssertCaught(static machine => new IommufdContext(machine) { CarryKeepsFirst = true });

    private static void AssertCaught(Func<Core.Machine, IommufdContext> open)
    {
        Exception failure = Assert.Catch(
            () => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), new Machine(open).ToProperty()))!;
        Assert.That(failure.ToString(), Does.Contain("unmap").Or.Contain("unpin").Or.Contain("remove"));
    }

    private static DmaAddr AddressOf(int slot) => new(IommufdRig.ApertureStart + ((ulong)slot * 0x40000));

    private static ByteCount Bytes(int pages) => new((ulong)pages * Page);

    internal sealed record Covered(int Space, int Slot, int First, int Count)
    {
        public bool Covers(int page) => First <= page && page < First + Count;
    }

    internal sealed record Pinned(Covered Area, int From, int Count)
    {
        public bool Covers(int page) => Area.First + From <= page && page < Area.First + From + Count;
    }

    internal sealed record Model(
        ImmutableList<Covered> Areas, ImmutableList<Pinned> Pins, ImmutableArray<int> Domains)
    {
        public bool IsPinned(int page) =>
            Areas.Exists(area => Domains[area.Space] > 0 && area.Covers(page)) || Pins.Exists(pin => pin.Covers(page));
    }

    internal sealed class Actual : IDisposable
    {
        private readonly IommufdRig rig;
        private readonly PinKeeper keeper = new();

        public Actual(Func<Core.Machine, IommufdContext> open)
        {
            rig = new IommufdRig(open: open);
            rig.MapAt(IommufdRig.ApertureStart, 0, Pages * Page);
            Spaces = [rig.CreateSpace(), rig.CreateSpace()];
            Accesses = [.. Spaces.Select(space => rig.OpenAccess(keeper, space))];
        }

        public IoAddressSpace[] Spaces { get; }

        public SpaceAccess[] Accesses { get; }

        public List<(Pinned Pin, AccessPin Lease)> Leases { get; } = [];

        public void Copy(Covered area) => Spaces[area.Space].TryCopyAt(
            AddressOf(area.Slot), rig.Space, AddressOf(0).AddChecked(Bytes(area.First)), Bytes(area.Count), IoAccess.ReadWrite)
            .ThrowIfError();

        public void Unmap(Covered area)
        {
            Spaces[area.Space].TryUnmap(AddressOf(area.Slot), Bytes(area.Count), out _).ThrowIfError();
            _ = Leases.RemoveAll(lease => lease.Pin.Area == area);
        }

        public void Pin(Pinned pin)
        {
            DmaAddr at = AddressOf(pin.Area.Slot).AddChecked(Bytes(pin.From));
            Accesses[pin.Area.Space].TryPin(at, Bytes(pin.Count), isWrite: true, out AccessPin? lease).ThrowIfError();
            Leases.Add((pin, keeper.Keep(lease)));
        }

        public void Unpin(int index)
        {
            keeper.Drop(Leases[index].Lease);
            Leases.RemoveAt(index);
        }

        public void CheckAgainst(Model model)
        {
            rig.Context.Validate();
            for (int page = 0; page < Pages; page++)
            {
                Assert.That(rig.Buffer.CountPins(page), Is.EqualTo(model.IsPinned(page) ? 1 : 0), $"page {page}");
            }

            Span<byte> bytes = stackalloc byte[1];
            foreach (Covered area in model.Areas.Where(area => model.Domains[area.Space] > 0))
            {
                DmaAddr last = AddressOf(area.Slot).AddChecked(new ByteCount(Bytes(area.Count).Value - 1));
                Spaces[area.Space].Domains[^1].TryRead(last, bytes).ThrowIfError();
                Assert.That(bytes[0], Is.EqualTo((byte)(area.First + area.Count)));
            }
        }

        public void Dispose() => rig.Dispose();
    }

    private sealed class Machine(Func<Core.Machine, IommufdContext> open) : ModelMachine<Actual, Model>
    {
        public override int MaxOperations => 40;

        public override Actual StartActual() => new(open);

        public override Model StartModel() => new([], [], [0, 0]);

        public override Gen<MachineOperation<Actual, Model>> Next(Model model) =>
            from verb in Gen.Choose(0, 11)
            from space in Gen.Choose(0, 1)
            from slot in Gen.Choose(0, Slots - 1)
            from first in Gen.Choose(0, Pages - 1)
            from count in Gen.Choose(1, 10)
            select verb switch
            {
                < 4 => Copy(new Covered(space, slot, first, Math.Min(count, Pages - first))),
                < 6 => Unmap(slot),
                6 => AddDomain(space),
                7 => RemoveDomain(space, first % 2),
                < 10 => Pin(slot, first, count),
                _ => Unpin(slot),
            };

        public override void CheckInvariants(Actual actual, Model model) => actual.CheckAgainst(model);

        private static MachineOperation<Actual, Model> Copy(Covered area) => MachineOperation<Actual, Model>.Of(
            $"copy pages {area.First}+{area.Count} to space {area.Space} slot {area.Slot}",
            (actual, _) => actual.Copy(area),
            model => model with { Areas = model.Areas.Add(area) },
            model => !model.Areas.Exists(other => other.Space == area.Space && other.Slot == area.Slot));

        private static MachineOperation<Actual, Model> Unmap(int index) => MachineOperation<Actual, Model>.Of(
            $"unmap area {index}",
            (actual, model) => actual.Unmap(model.Areas[index]),
            model => model with
            {
                Areas = model.Areas.RemoveAt(index),
                Pins = model.Pins.RemoveAll(pin => pin.Area == model.Areas[index]),
            },
            model => index < model.Areas.Count);

        private static MachineOperation<Actual, Model> AddDomain(int space) => MachineOperation<Actual, Model>.Of(
            $"add a domain to space {space}",
            (actual, _) => actual.Spaces[space].TryAddDomain(new IoDomainOptions(), out IoDomain? _).ThrowIfError(),
            model => model with { Domains = model.Domains.SetItem(space, model.Domains[space] + 1) },
            model => model.Domains[space] < 3);

        private static MachineOperation<Actual, Model> RemoveDomain(int space, int index) => MachineOperation<Actual, Model>.Of(
            $"remove domain {index} of space {space}",
            (actual, _) => actual.Spaces[space].RemoveDomain(actual.Spaces[space].Domains[index]),
            model => model with { Domains = model.Domains.SetItem(space, model.Domains[space] - 1) },
            model => index < model.Domains[space]);

        private static MachineOperation<Actual, Model> Pin(int index, int from, int count) => MachineOperation<Actual, Model>.Of(
            $"pin {count} pages of area {index} from {from}",
            (actual, model) => actual.Pin(new Pinned(model.Areas[index], from, count)),
            model => model with { Pins = model.Pins.Add(new Pinned(model.Areas[index], from, count)) },
            model => index < model.Areas.Count && from + count <= model.Areas[index].Count);

        private static MachineOperation<Actual, Model> Unpin(int index) => MachineOperation<Actual, Model>.Of(
            $"unpin {index}",
            (actual, _) => actual.Unpin(index),
            model => model with { Pins = model.Pins.RemoveAt(index) },
            model => index < model.Pins.Count);
    }
}
