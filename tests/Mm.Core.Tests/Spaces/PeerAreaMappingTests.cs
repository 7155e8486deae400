using Mm.Core.Native;
using Mm.Core.PhysRanges;
using Mm.Core.Spaces;
using static Mm.Core.Tests.Spaces.SpaceRig;

namespace Mm.Core.Tests.Spaces;

/// <summary>One device asks the owner of a mapping of another's memory: W1 to W5 of the proposal.</summary>
public sealed class PeerAreaMappingTests
{
    private SpaceRig rig = null!;
    private Sharer owner = null!;
    private DeviceId importer;
    private int ends;

    private AddressSpace Space => rig.Space;

    [SetUp]
    public void SetUp()
    {
        rig = new SpaceRig();
        owner = new Sharer(rig.Machine);
        importer = rig.Machine.RegisterDevice("importer");
        ends = 0;
    }

    [TearDown]
    public void TearDown()
    {
        rig.Dispose();
        Assert.That(owner.Shared, Is.Zero, "the owner has heard the end of each");
    }

    [Test]
    public void Map_OfPartOfAnArea_GivesTheOwnersAddresses()
    {
        rig.Map(0, 4, owner.Backing.Describe(AreaAccess.ReadWrite), offset: 2);
        using PeerAreaMapping mapping = Map(1, 2);
        Assert.That(mapping.List.Ranges.ToArray(), Is.EqualTo(new[] { owner.Place(3, 2) }));
        PeerAreaRequest asked = owner.Requests.Single();
        Assert.That((asked.Offset.Value, asked.Count.Value, asked.Importer, asked.IsWrite), Is.EqualTo((3UL, 2UL, importer, true)));
        Assert.That((mapping.IsValid, owner.Faults, rig.Resident(RssKind.File)), Is.EqualTo((true, 0, 0UL)), "no page is touched");
    }

    [Test] // W1
    public void Map_WithoutTheOperation_IsNotSupportedAndTouchesNothing()
    {
        rig.Map(0, 1);
        rig.Map(1, 1, new FrameOwner(rig.Machine).Backing.Describe(AreaAccess.ReadWrite));
        rig.Map(2, 1, owner.Backing.Describe(AreaAccess.ReadWrite) with { IsPrivate = true });
        foreach (ulong page in new ulong[] { 0, 1, 2 })
        {
            Assert.That(Refusal(page, 1), Is.EqualTo(Errno.EOPNOTSUPP));
            Assert.That(rig.Entry(page).IsNone, Is.True, "it never falls back to taking pages");
        }

        Assert.That((owner.Requests.Count, rig.Resident()), Is.EqualTo((0, 0UL)));
    }

    [Test] // W2
    public void Map_OverTwoAreasOrNone_IsRefusedAsAWhole()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        rig.Map(2, 2, owner.Backing.Describe(AreaAccess.ReadWrite), offset: 2);
        Assert.That(Refusal(1, 2), Is.EqualTo(Errno.EINVAL), "two areas");
        Assert.That(Refusal(3, 2), Is.EqualTo(Errno.EINVAL), "beyond the area");
        Assert.That(Refusal(8, 1), Is.EqualTo(Errno.EFAULT), "no area");
        Assert.That(Refusal(0, 0), Is.EqualTo(Errno.EINVAL), "nothing");
        Assert.That(Space.TryMapPeer(new VirtRange(At(0, 1), Pages(1)), Import(), out _), Is.EqualTo(Errno.EINVAL), "not pages");
        Assert.That(owner.Requests, Is.Empty);
    }

    [Test] // W2
    public void Map_ThatTheOwnerAnswersWithTwoOwnersMemory_IsRefusedAsAWhole()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        owner.MixesWith = new Sharer(rig.Machine, at: 9UL << 30).Place(0, 1);
        Assert.That(Refusal(0, 2), Is.EqualTo(Errno.EINVAL));
        owner.MixesWith = new PhysRange(new PhysAddr(0x10000), Pages(1)); // RAM
        Assert.That(Refusal(0, 2), Is.EqualTo(Errno.EINVAL));
        owner.MixesWith = null;
        using PeerAreaMapping mapping = Map(0, 2);
        Assert.That(owner.Shared, Is.EqualTo(1), "those that were refused are over for the owner, too");
    }

    [Test]
    public void Map_AgainstTheAreasAccess_IsRefused()
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.Read));
        rig.Map(1, 1, owner.Backing.Describe(AreaAccess.None));
        Assert.That(Refusal(0, 1), Is.EqualTo(Errno.EPERM));
        Assert.That(Refusal(1, 1), Is.EqualTo(Errno.EFAULT));
        Space.TryMapPeer(Range(0, 1), Import() with { IsWrite = false }, out PeerAreaMapping? mapping).ThrowIfError();
        mapping!.Dispose();
    }

    [Test]
    public void Map_ThatTheOwnerRefuses_SaysWhatItSays()
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite));
        owner.Refuses = Errno.ENODEV;
        Assert.That(Refusal(0, 1), Is.EqualTo(Errno.ENODEV));
    }

    [Test]
    public void Map_WithTooFewAddresses_IsTheOwnersMistake()
    {
        rig.Map(0, 2, owner.Backing.Describe(AreaAccess.ReadWrite));
        owner.GivesTooFew = true;
        Assert.That(() => Space.TryMapPeer(Range(0, 2), Import(), out _), Throws.ArgumentException);
        Assert.That(owner.Shared, Is.Zero, "and it hears that the device is done");
    }

    [Test] // W3
    public void Invalidation_OfOnePage_EndsTheAddressesAndUnmapStaysLegal([Values(0, 1, 2, 3)] int how)
    {
        rig.Map(0, 3, owner.Backing.Describe(AreaAccess.ReadWrite));
        PeerAreaMapping mapping = Map(0, 2);
        using PeerAreaMapping other = Map(2, 1);
        (how switch
        {
            0 => Space.TryUnmap(At(1), Pages(1)),
            1 => Space.TryProtect(At(0), Pages(1), AreaAccess.Read),
            2 => Space.TryMove(new AreaMove(At(0), Pages(2), Pages(2)) { MayMove = true, To = At(8) }, out _),
            _ => Unmap(),
        }).ThrowIfError();
        Assert.That((mapping.IsValid, mapping.List.IsValid, ends), Is.EqualTo((false, false, 1)));
        Assert.That(other.IsValid, Is.True, "the part beside it is not touched");
        owner.Backing.Unmap(PageCount.Zero, new PageCount(2));
        Assert.That(ends, Is.EqualTo(1), "it ends once");
        mapping.Dispose();
        mapping.Dispose();
        Assert.That((owner.Unmapped, mapping.IsValid), Is.EqualTo((1, false)), "told once");

        Errno Unmap()
        {
            owner.Backing.Unmap(PageCount.One, PageCount.One);
            return Errno.Ok;
        }
    }

    [Test]
    public void Exit_OfTheProcess_EndsTheAddresses()
    {
        AddressSpace child = rig.Create();
        child.TryMap(new AreaRequest(Pages(1), owner.Backing.Describe(AreaAccess.ReadWrite)), out VirtRange range).ThrowIfError();
        child.TryMapPeer(range, Import(), out PeerAreaMapping? mapping).ThrowIfError();
        child.Dispose();
        Assert.That((mapping!.IsValid, ends), Is.EqualTo((false, 1)));
        mapping.Dispose();
        Assert.That(() => child.TryMapPeer(range, Import(), out _), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test] // W4
    public void Pin_OfAMappedPart_StaysEFAULT()
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite));
        using PeerAreaMapping mapping = Map(0, 1);
        Assert.That(rig.PinErrno(0, PinFlags.Write | PinFlags.Fast | PinFlags.PeerMemory), Is.EqualTo(Errno.EFAULT));
    }

    [Test] // W5
    public void Map_WhereTheOwnerMovesItsObjectFirst_TellsEarlierImportersAndGivesTheNewPlace()
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite));
        rig.Write(0, 5);
        using PeerAreaMapping earlier = Map(0, 1);
        owner.MovesTo = 4;
        using PeerAreaMapping later = Map(0, 1);
        Assert.That((earlier.IsValid, later.IsValid, ends), Is.EqualTo((false, true, 1)), "the one before is told, the one that asks is not");
        Assert.That(later.List[0], Is.EqualTo(owner.Place(4, 1)));
        Assert.That(rig.Read(0), Is.EqualTo(5), "the process finds its bytes there");
    }

    [Test]
    public void Map_OfMemoryThatNeverRests_IsEBUSY()
    {
        rig.Map(0, 1, owner.Backing.Describe(AreaAccess.ReadWrite));
        owner.NeverRests = true;
        Assert.That(Refusal(0, 1), Is.EqualTo(Errno.EBUSY));
    }

    private PeerImport Import() => new(importer, new PhysRangeListBuilder(rig.Machine.RangeOwners)) { IsWrite = true, Ended = () => ends++ };

    private PeerAreaMapping Map(ulong page, ulong count)
    {
        Assert.That(Space.TryMapPeer(Range(page, count), Import(), out PeerAreaMapping? mapping), Is.EqualTo(Errno.Ok));
        return mapping!;
    }

    private Errno Refusal(ulong page, ulong count)
    {
        Errno errno = Space.TryMapPeer(Range(page, count), Import(), out PeerAreaMapping? mapping);
        Assert.That(mapping, Is.Null);
        return errno;
    }

    // A device whose pages lie one after another from some page of its window on, and move all together.
    private sealed class Sharer : IPeerAreaOperations
    {
        private readonly Machine machine;
        private readonly PhysRange window;
        private ulong first;

        internal Sharer(Machine machine, ulong at = 8UL << 30)
        {
            this.machine = machine;
            window = new PhysRange(new PhysAddr(at), Pages(8));
            Assert.That(machine.TryAddDeviceWindow($"memory at {at:x}", window, out _), Is.EqualTo(Errno.Ok));
            Backing = new AreaBacking(AreaKind.DeviceMemory, this);
        }

        internal AreaBacking Backing { get; }

        internal List<PeerAreaRequest> Requests { get; } = [];

        internal int Faults { get; private set; }

        internal int Shared { get; private set; }

        internal int Unmapped { get; private set; }

        internal Errno Refuses { get; set; }

        internal bool GivesTooFew { get; set; }

        internal bool NeverRests { get; set; }

        internal PhysRange? MixesWith { get; set; }

        internal ulong? MovesTo { get; set; }

        internal PhysRange Place(ulong page, ulong count) => window.Slice(Pages(page), Pages(count));

        public FaultResult Fault(AreaFilling filling, AreaFault fault)
        {
            Faults++;
            return filling.InsertFrame(fault.Address, new Pfn(window.Start.Pfn.Value + first + fault.Offset.Value));
        }

        public Errno TryMapPeer(PeerAreaRequest request, PhysRangeListBuilder ranges)
        {
            if (!Refuses.IsOk)
            {
                return Refuses;
            }

            Requests.Add(request);
            Move();
            Shared++;
            ulong count = request.Count.Value - (GivesTooFew || MixesWith is not null ? 1UL : 0UL);
            ranges.TryAppend(window.Slice(Pages(first + request.Offset.Value), Pages(count))).ThrowIfError();
            return MixesWith is { } other ? ranges.TryAppend(other) : Errno.Ok;
        }

        public void UnmapPeer(PeerAreaRequest request)
        {
            Shared--;
            Unmapped++;
        }

        private void Move()
        {
            if (NeverRests)
            {
                Backing.Unmap();
            }

            if (MovesTo is not { } to)
            {
                return;
            }

            MovesTo = null;
            Backing.Unmap();
            var page = new byte[Page];
            using (SpanLease from = machine.Lease(window.Slice(Pages(first), Pages(1))))
            {
                from.Bytes.CopyTo(page);
            }

            first = to;
            using SpanLease target = machine.Lease(window.Slice(Pages(first), Pages(1)));
            page.CopyTo(target.Bytes);
        }
    }
}
