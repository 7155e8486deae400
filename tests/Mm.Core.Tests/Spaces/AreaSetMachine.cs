using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Spaces;
using Mm.Testing.Machines;

namespace Mm.Core.Tests.Spaces;

/// <summary>Areas against an array with one cell a page: random maps, unmaps, protections and moves.</summary>
internal sealed class AreaSetMachine
{
    private const ulong Page = 4096;
    private const ulong Base = 0x1000_0000;
    private const int Pages = 24;

    private static readonly object File = new();

    [FsCheck.NUnit.Property(MaxTest = 200)]
    public Property Areas_UnderRandomPrograms_AgreeWithTheArray() => new Machine().ToProperty();

    private static VirtAddr At(int page) => new(Base + ((ulong)page * Page));

    private static ByteCount Bytes(int pages) => new((ulong)pages * Page);

    // What a page is: its traits and the page of the backing that it shows. Null is a hole.
    private sealed record Cell(AreaTraits Traits, ulong Offset);

    private sealed class Machine : ModelMachine<AreaSet, Cell?[]>
    {
        public override int MaxOperations => 60;

        public override AreaSet StartActual() => new();

        public override Cell?[] StartModel() => new Cell?[Pages];

        public override Gen<MachineOperation<AreaSet, Cell?[]>> Next(Cell?[] model) =>
            from verb in Gen.Choose(0, 9)
            from first in Gen.Choose(0, Pages - 1)
            from count in Gen.Choose(1, 8)
            from other in Gen.Choose(0, Pages - 1)
            from kind in Gen.Elements(AreaKind.AnonymousPrivate, AreaKind.FileShared, AreaKind.PfnMapped)
            from access in Gen.Elements(AreaAccess.Read, AreaAccess.ReadWrite)
            let pages = Math.Min(count, Pages - first)
            let traits = new AreaTraits(kind, access)
            {
                Backing = kind == AreaKind.AnonymousPrivate ? null : File,
                Forbidden = kind == AreaKind.PfnMapped ? AreaAccess.ReadWrite & ~access : AreaAccess.None,
            }
            select verb switch
            {
                < 3 => Map(first, pages, traits, AreaPlacement.Fixed, first),
                < 4 => Map(first, pages, traits, AreaPlacement.FixedNoReplace, other),
                < 6 => Unmap(first, pages),
                < 8 => Protect(first, pages, access),
                _ => Move(first, pages, Math.Min(other, Pages - pages)),
            };

        public override void CheckInvariants(AreaSet actual, Cell?[] model)
        {
            actual.Validate();
            for (int page = 0; page < Pages; page++)
            {
                Area? area = actual.Find(At(page));
                Cell? seen = area is null ? null : new Cell(area.Traits, area.OffsetOf(At(page)).Value);
                Assert.That(seen, Is.EqualTo(model[page]), $"page {page}");
            }

            // Validate holds that no two areas could be one; that none are one too many, this: every border shows in the cells.
            foreach (Area area in actual.Areas)
            {
                int page = (int)((area.Start.Value - Base) / Page);
                bool goesOn = page > 0 && model[page - 1] is { } below && below.Traits == area.Traits && below.Offset + 1 == area.Offset.Value;
                Assert.That(goesOn && !area.Traits.IsSpecial, Is.False, $"a border at page {page}");
            }
        }

        private static bool IsPromised(AreaTraits traits) =>
            traits.Kind == AreaKind.AnonymousPrivate && (traits.Access & AreaAccess.Write) != AreaAccess.None;

        private static bool IsTaken(Cell?[] model, int first, int pages) => model[first..(first + pages)].Any(static cell => cell is not null);

        private static Cell?[] With(Cell?[] model, int first, int pages, Func<int, Cell?> make) =>
            [.. model.Select((cell, page) => page < first || page >= first + pages ? cell : make(page))];

        private static MachineOperation<AreaSet, Cell?[]> Map(int first, int pages, AreaTraits traits, AreaPlacement placement, int offset)
        {
            bool refuses = placement == AreaPlacement.FixedNoReplace;
            return MachineOperation<AreaSet, Cell?[]>.Of(
                $"map {first}+{pages} {traits.Kind} {traits.Access} {placement} from {offset}",
                (actual, model) =>
                {
                    bool isRefused = refuses && IsTaken(model, first, pages);
                    var request = new AreaRequest(Bytes(pages), traits) { At = At(first), Placement = placement, Offset = new PageCount((ulong)offset) };
                    Assert.That(actual.TryMap(request, out VirtRange placed), Is.EqualTo(isRefused ? Errno.EEXIST : Errno.Ok));
                    Assert.That(placed, Is.EqualTo(isRefused ? default : new VirtRange(At(first), Bytes(pages))));
                },
                model => refuses && IsTaken(model, first, pages)
                    ? model
                    : With(model, first, pages, page => new Cell(
                        traits with { IsAccounted = IsPromised(traits) },
                        traits.Kind == AreaKind.AnonymousPrivate ? At(page).Value / Page : (ulong)(offset + page - first))));
        }

        private static MachineOperation<AreaSet, Cell?[]> Unmap(int first, int pages) =>
            MachineOperation<AreaSet, Cell?[]>.Of(
                $"unmap {first}+{pages}",
                (actual, _) => Assert.That(actual.TryUnmap(At(first), Bytes(pages)), Is.EqualTo(Errno.Ok)),
                model => With(model, first, pages, static _ => null));

        private static MachineOperation<AreaSet, Cell?[]> Protect(int first, int pages, AreaAccess access)
        {
            return MachineOperation<AreaSet, Cell?[]>.Of(
                $"protect {first}+{pages} {access}",
                (actual, model) =>
                {
                    int done = Allowed(model);
                    Errno expected = done == pages ? Errno.Ok : model[first + done] is null ? Errno.ENOMEM : Errno.EACCES;
                    Assert.That(actual.TryProtect(At(first), Bytes(pages), access, out VirtRange range), Is.EqualTo(expected));
                    Assert.That(range, Is.EqualTo(new VirtRange(At(first), Bytes(done))));
                },
                model => With(model, first, Allowed(model), page => Protected(model[page]!)));

            // No page is ever touched here, so anonymous memory that may not be written counts for nothing.
            Cell Protected(Cell cell)
            {
                AreaTraits after = cell.Traits with { Access = access };
                return cell with { Traits = after with { IsAccounted = IsPromised(after) } };
            }

            int Allowed(Cell?[] model) => model.Skip(first).Take(pages)
                .TakeWhile(cell => cell is not null && (access & cell.Traits.Forbidden) == AreaAccess.None).Count();
        }

        private static MachineOperation<AreaSet, Cell?[]> Move(int first, int pages, int to)
        {
            return MachineOperation<AreaSet, Cell?[]>.Of(
                $"move {first}+{pages} to {to}",
                (actual, model) =>
                {
                    bool isOneArea = actual.Find(At(first)) is { } area && area.Range.Contains(new VirtRange(At(first), Bytes(pages)));
                    Errno expected = model[first] is null ? Errno.EFAULT
                        : Math.Abs(first - to) < pages ? Errno.EINVAL
                        : isOneArea ? Errno.Ok
                        : Errno.EFAULT;
                    var move = new AreaMove(At(first), Bytes(pages), Bytes(pages)) { MayMove = true, To = At(to) };
                    Assert.That(actual.TryMove(move, out VirtRange moved), Is.EqualTo(expected));
                    Assert.That(moved, Is.EqualTo(expected.IsOk ? new VirtRange(At(to), Bytes(pages)) : default));
                },
                model => Math.Abs(first - to) >= pages && IsOneRun(model)
                    ? With(With(model, first, pages, static _ => null), to, pages, page => Moved(model[page - to + first]!, page))
                    : model,
                model => !model.Any(static cell => cell is { Traits.IsSpecial: true })); // whether two special ones are one, cells do not tell

            Cell Moved(Cell cell, int page) =>
                cell.Traits.Kind == AreaKind.AnonymousPrivate ? cell with { Offset = At(page).Value / Page } : cell;

            bool IsOneRun(Cell?[] model) => Enumerable.Range(first, pages).All(page => model[page] is { } cell
                && (page == first || (model[page - 1]!.Traits == cell.Traits && model[page - 1]!.Offset + 1 == cell.Offset)));
        }
    }
}
