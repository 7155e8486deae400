using Mm.Core;
using Mm.Core.Dma;
using Mm.Devices.Iommufd;
using static Mm.Devices.Tests.Iommufd.IommufdRig;

namespace Mm.Devices.Tests.Iommufd;

/// <summary>
/// The tests of tools/testing/selftests/iommu/iommufd_fail_nth.c (v6.12), under their names: the n-th failure that can be
/// planned is, for n = 1 and up until a run has nothing left to fail; after every one all is as if nothing had been.
/// </summary>
internal sealed class IommufdContextFailNthSelftests
{
    private const ulong Mapped = 64 * Page;

    private static readonly FaultPoint[] Points = [FaultPoint.Slab, IommufdContext.Fault];

    [Test]
    public void basic_fail_nth() => FailEach(minimum: 6, begin: null, static rig =>
        Run(
            () => rig.Context.TryCreateSpace(out _),
            () => rig.Space.TryAllow(new IoRange(new DmaAddr(4 * Page), new DmaAddr((600 * 4 * Page) - 1))),
            () => rig.TryMap(0, Mapped, out rig.Address),
            () => rig.Space.TryCopy(rig.Space, new DmaAddr(rig.Address), new ByteCount(160), IoAccess.Read, out _),
            () => rig.TryUnmap(rig.Address, Mapped, out _)));

    [Test]
    public void map_domain() => FailEach(minimum: 12, begin: null, static rig =>
        Run(
            () => rig.TryAddDomain(0),
            () => rig.TryMap(0, Mapped, out _),
            () => rig.RemoveDomain(0),
            () => rig.TryAddDomain(0)));

    [Test]
    public void map_two_domains() => FailEach(
        minimum: 12,
        static rig => rig.TryAddDomain(0).ThrowIfError(),
        static rig => Run(
            () => rig.TryAddDomain(1),
            () => rig.TryMap(0, Mapped, out _),
            () => rig.RemoveDomain(0),
            () => rig.RemoveDomain(1),
            () => rig.TryAddDomain(0),
            () => rig.TryAddDomain(1)));

    [Test]
    public void access_rw() => FailEach(
        minimum: 5,
        static rig => rig.TryMap(0, Mapped, out rig.Address).ThrowIfError(),
        static rig => Run(
            () => rig.TryOpen(keeper: null),
            () => rig.Access!.TryRead(new DmaAddr(rig.Address), rig.Bytes.AsSpan(0, 64)),
            () => rig.Access!.TryWrite(new DmaAddr(rig.Address), rig.Bytes.AsSpan(0, 64)),
            () => rig.Access!.TryRead(new DmaAddr(rig.Address), rig.Bytes.AsSpan(0, 64), AccessPath.OfPages),
            () => rig.Access!.TryWrite(new DmaAddr(rig.Address), rig.Bytes.AsSpan(0, 64), AccessPath.OfPages),
            () => rig.Access!.TryRead(new DmaAddr(rig.Address), rig.Bytes, AccessPath.OfPages)));

    [Test]
    public void access_pin() => FailEach(
        minimum: 4,
        static rig =>
        {
            rig.TryMap(0, Mapped, out rig.Address).ThrowIfError();
            rig.TryOpen(rig.Keeper).ThrowIfError();
        },
        static rig => Run(() => rig.TryPin()));

    [Test]
    public void access_pin_domain() => FailEach(
        minimum: 2,
        static rig =>
        {
            rig.TryAddDomain(0).ThrowIfError();
            rig.TryMap(0, Mapped, out rig.Address).ThrowIfError();
            rig.TryOpen(rig.Keeper).ThrowIfError();
        },
        static rig => Run(() => rig.TryPin(), () => rig.RemoveDomain(0)));

    [Test]
    public void device() => FailEach(
        minimum: 10,
        static rig =>
        {
            rig.Other = rig.CreateSpace();
            rig.MapAt(ApertureStart, 0, Page);
            rig.Other.TryMapAt(new DmaAddr(ApertureStart), rig.Buffer, rig.User(0), new ByteCount(Page), IoAccess.ReadWrite)
                .ThrowIfError();
        },
        static rig => Run(
            () => rig.TryAddDomain(0),
            () => rig.Other!.TryAddDomain(new IoDomainOptions(), out _),
            () => rig.TryAddDomain(1),
            () => rig.RemoveDomain(0),
            () => rig.RemoveDomain(1)));

    // The account makes charging a thing that can fail; it, too, must be at zero in the end.
    private static void FailEach(int minimum, Action<Rig>? begin, Func<Rig, Errno> run)
    {
        foreach (FaultPoint point in Points)
        {
            ulong nth = 1;
            for (bool hasFailed = true; hasFailed; nth++)
            {
                var account = new PinAccount(new PageCount(1000));
                using (var rig = new Rig(account))
                {
                    begin?.Invoke(rig);
                    rig.Machine.Faults.FailNth(point, nth);
                    Errno errno = run(rig);
                    hasFailed = rig.Machine.Faults.FailureCount(point) > 0;
                    rig.Machine.Faults.Clear();
                    Assert.That(errno.IsOk, Is.Not.EqualTo(hasFailed), $"failure {nth} at {point} must be told: {errno}");
                    rig.Context.Validate();
                    rig.Machine.Validate();
                }

                Assert.That(account.Locked.Value, Is.Zero);
            }

            minimum -= (int)nth - 2;
        }

        Assert.That(minimum, Is.AtMost(0), "failures were planned in all places");
    }

    private static Errno Run(params ReadOnlySpan<Func<Errno>> steps)
    {
        foreach (Func<Errno> step in steps)
        {
            Errno errno = step();
            if (!errno.IsOk)
            {
                return errno;
            }
        }

        return Errno.Ok;
    }

    private sealed class Rig(PinAccount account) : IDisposable
    {
        private readonly IommufdRig rig = new(account: account);
        private readonly IoDomain?[] domains = new IoDomain?[2];

        public ulong Address;

        public PinKeeper Keeper { get; } = new();

        public SpaceAccess? Access { get; private set; }

        public IoAddressSpace? Other { get; set; }

        public byte[] Bytes { get; } = new byte[32 * 1024];

        public Machine Machine => rig.Machine;

        public IommufdContext Context => rig.Context;

        public IoAddressSpace Space => rig.Space;

        public UserBuffer Buffer => rig.Buffer;

        public VirtAddr User(ulong offset) => rig.User(offset);

        public IoAddressSpace CreateSpace() => rig.CreateSpace();

        public void MapAt(ulong address, ulong offset, ulong length) => rig.MapAt(address, offset, length);

        public Errno TryMap(ulong offset, ulong length, out ulong address) => rig.TryMap(offset, length, out address);

        public Errno TryUnmap(ulong address, ulong length, out ulong unmapped) => rig.TryUnmap(address, length, out unmapped);

        public Errno TryAddDomain(int slot) => Space.TryAddDomain(new IoDomainOptions(), out domains[slot]);

        public Errno RemoveDomain(int slot)
        {
            Space.RemoveDomain(domains[slot]!);
            return Errno.Ok;
        }

        public Errno TryOpen(PinKeeper? keeper)
        {
            Errno errno = Space.TryOpenAccess(keeper, out SpaceAccess? access);
            Access = access;
            return errno;
        }

        public Errno TryPin()
        {
            Errno errno = Access!.TryPin(new DmaAddr(Address), new ByteCount(Mapped), isWrite: false, out AccessPin? pin);
            if (pin is not null)
            {
                Keeper.Keep(pin);
            }

            return errno;
        }

        public void Dispose() => rig.Dispose();
    }
}
