using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>A small machine whose address spaces stop at the explorer's points, with a device and a process that opened it.</summary>
internal sealed class RacingRig : IDisposable
{
    private readonly OtherPoints points;

    /// <summary>Makes one.</summary>
    /// <param name="points">The explorer's points.</param>
    /// <param name="hidden">Points that are passed by: those that are reached with a lock held, which another actor enters.</param>
    /// <param name="profile">The kernel; null: v6.12.</param>
    internal RacingRig(IYieldPoints points, string[] hidden, LinuxProfile? profile = null)
    {
        this.points = new OtherPoints(points, hidden);
        Machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(PhysAddr.Zero, ByteCount.FromMiB(8)))
            .WithProfile(profile ?? LinuxProfile.V612)
            .Build();
        Spaces = new AddressSpaces(new SpaceParts(
            Machine.Frames, Machine.Allocator, Machine.Memory, new PhysicalBytes(Machine.AddressMap, Machine.Memory),
            Machine.Pagemaps, Machine.Faults, Machine.Profile, this.points));
        MirrorDevice.TryCreatePrivate(Machine, "gpu", ByteCount.FromMiB(2), out MirrorDevice? device).ThrowIfError();
        Device = device!;
        Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Space = space!;
        Mirror = MirrorRig.Open(Device, Space);
    }

    internal Machine Machine { get; }

    internal AddressSpaces Spaces { get; }

    internal MirrorDevice Device { get; }

    internal AddressSpace Space { get; }

    internal DeviceMirror Mirror { get; }

    internal AddressSpace? Child { get; set; }

    /// <summary>Whether every actor came to its end: what a failed schedule leaves cannot be cleared away.</summary>
    internal bool IsAtRest { get; private set; }

    internal VirtRange Map(int pages)
    {
        var traits = new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite);
        var request = new AreaRequest(new PageCount((ulong)pages).ToBytes(), traits);
        Space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    /// <summary>Pages that hold one byte all over, in RAM or on the device.</summary>
    internal VirtRange MapFilled(int pages, byte value, bool isOnDevice)
    {
        VirtRange range = Map(pages);
        MirrorRig.Write(Space, range, Bytes(pages, value));
        if (isOnDevice)
        {
            Mirror.TryMigrateToDevice(range, out _).ThrowIfError();
        }

        return range;
    }

    /// <summary>2 MiB in one piece, on the device.</summary>
    internal VirtRange MapLargeOnDevice(byte value)
    {
        VirtRange room = Map(1024);
        VirtAddr start = room.Start.AddChecked(new ByteCount(PageSize.Large.Bytes.Value - 1)).AlignDown(PageSize.Large);
        var range = new VirtRange(start, PageSize.Large.Bytes);
        Space.TryWantHugePages(start, range.Length, wanted: true).ThrowIfError();
        MirrorRig.Write(Space, range, Bytes(512, value));
        Mirror.TryMigrateToDevice(range, out _).ThrowIfError();
        return range;
    }

    internal static byte[] Bytes(int pages, byte value)
    {
        byte[] bytes = new byte[pages * MirrorRig.PageBytes];
        bytes.AsSpan().Fill(value);
        return bytes;
    }

    internal static bool Holds(AddressSpace space, VirtRange range, byte value)
    {
        byte[] bytes = new byte[(int)range.Length.Value];
        return space.Read(range.Start, bytes) == FaultResult.Done && !bytes.AsSpan().ContainsAnyExcept(value);
    }

    internal bool Holds(VirtRange range, byte value) => Holds(Space, range, value);

    /// <summary>One byte in every page, by the CPU.</summary>
    internal void Touch(VirtRange range, Action<FaultResult> ended)
    {
        byte[] one = new byte[1];
        ended(Space.Read(range.Start, one));
    }

    /// <summary>Brings a device's page home whoever maps it, as a driver that evicts does.</summary>
    /// <param name="page">The page, or the first of a folio.</param>
    /// <param name="size">How large; what has been broken up meanwhile stays.</param>
    /// <returns>Why it stayed; none if it did not.</returns>
    internal StayReason Evict(Pfn page, PageSize size = default)
    {
        Pfn[] pages = [.. Enumerable.Range(0, (int)size.Pages.Value).Select(part => new Pfn(page.Value + (ulong)part))];
        using FrameMigration migration = FrameMigration.SetUp(Spaces, pages);
        points.Reach("evict-set-up");
        if (migration.Sources[0].Migrates && migration.Sources[0].IsCompound == (size == PageSize.Large))
        {
            Machine.Allocator.TryAllocate(AllocationRequest.User with { Order = size.Order }, out PageRef target).ThrowIfError();
            Device.Bytes.TryLease(page, size, out SpanLease from).ThrowIfError();
            using (from)
            {
                using SpanLease to = Machine.Lease(new PhysRange(target.Page.Address, size.Bytes));
                from.Bytes.CopyTo(to.Bytes);
            }

            migration.SetTarget(0, target);
            migration.SetWritten(0);
        }

        migration.Move();
        points.Reach("evict-moved");
        return migration.Reasons[0];
    }

    internal Pte EntryAt(VirtRange range) => Space.Tables.Read(range.Start);

    internal bool IsValid()
    {
        Spaces.Validate();
        Machine.Validate();
        IsAtRest = true;
        return true;
    }

    public void Dispose()
    {
        if (!IsAtRest)
        {
            return;
        }

        Spaces.Dispose(); // the child too, and the pages of zeros
        Mirror.Dispose();
        Assert.That(Device.UsedPages, Is.EqualTo(PageCount.Zero), "a device's page is left");
        Device.Dispose();
        Assert.That(Machine.Allocator.Statistics.InUse, Is.EqualTo(PageCount.Zero), "a page of RAM is left");
        Machine.Validate();
        Machine.Dispose();
        Assert.That(Machine.NativeBytes, Is.EqualTo(ByteCount.Zero), "native memory is left");
    }

    private sealed class OtherPoints(IYieldPoints points, string[] hidden) : IYieldPoints
    {
        public void Reach(string point)
        {
            if (!hidden.Contains(point, StringComparer.Ordinal))
            {
                points.Reach(point);
            }
        }

        public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
    }
}
