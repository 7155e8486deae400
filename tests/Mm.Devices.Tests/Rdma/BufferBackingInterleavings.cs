using Mm.Core;
using Mm.Core.Checks;
using Mm.Devices.Rdma;
using Mm.DmaBuf;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using Mm.Testing.Interleavings;

namespace Mm.Devices.Tests.Rdma;

/// <summary>A NIC's access, a move or a revocation of the buffer, and the deregistration, in every order.</summary>
internal sealed class BufferBackingInterleavings
{
    private const byte Old = 3;

    [Test]
    public void AccessAndMove_InEveryOrder_LeaveTheByteWhereTheBufferIs()
    {
        Explore((rig, scenario) =>
        {
            BufferHandle handle = rig.Moving(out MovingBuffer exporter);
            RegionBacking region = rig.Register(handle, RegionContract.Buffer);
            region.TryAccess(default, (byte[])[Old], isWrite: true).ThrowIfError();
            _ = scenario
                .Actor("nic", () => region.TryAccess(default, (byte[])[9], isWrite: true).ThrowIfError())
                .Actor("gpu", () => exporter.TryMoveToDevice([rig.Vram(64)]).ThrowIfError())
                .Finally("the byte is where the buffer is", () => rig.ByteAt(64) == 9)
                .Finally("the old place has what was there at the move", () => rig.ByteAt(0) is Old or 9)
                .Finally("all is let go", () => rig.End(region, handle));
        });
    }

    [Test]
    public void AccessRevocationAndRelease_InEveryOrder_TellOnceAndUnpinOnce()
    {
        Explore((rig, scenario) =>
        {
            BufferHandle handle = rig.Revocable(out BarBuffer exporter);
            RegionBacking region = rig.Register(handle, RegionContract.BufferRevocable);
            byte? atRevoke = null;
            int told = 0;
            region.WhenTakenAway(() => told++);
            _ = scenario
                .Actor("nic", () => _ = region.TryAccess(default, (byte[])[9], isWrite: true)) // EINVAL once revoked
                .Actor("gpu", () =>
                {
                    exporter.TryRevoke().ThrowIfError();
                    atRevoke = rig.ByteAt(0);
                })
                .Actor("dereg", () => rig.Release(region))
                .Finally("no byte came after the revocation", () => atRevoke == rig.ByteAt(0))
                .Finally("told once at most", () => told <= 1)
                .Finally("nobody pins", () => exporter.PinCount == 0)
                .Finally("all is let go", () => rig.End(region, handle));
        });
    }

    private static void Explore(Action<Rig, Scenario> cast)
    {
        Rig? last = null;
        new Explorer { MaxInterruptions = 3, MaxSteps = 5_000 }.Explore(points =>
        {
            last?.Dispose();
            last = new Rig(points);
            var scenario = new Scenario();
            cast(last, scenario);
            return scenario;
        }).ThrowIfFailed();
        last?.Dispose();
    }

    private sealed class Rig : IDisposable
    {
        private readonly Machine machine;
        private readonly PciSystem pci;
        private readonly BufferSystem system;
        private readonly BarProvider provider;
        private readonly RdmaNic nic;
        private readonly ProtectionDomain domain;
        private bool isReleased;
        private bool isAtRest;

        internal Rig(IYieldPoints points)
        {
            machine = Machine.CreateBuilder()
                .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(8))).Build();
            Assert.That(BuiltInMachines.TryGet("two-switch", out Topology? topology), Is.True);
            pci = new PciSystem(machine, topology!);
            system = new BufferSystem(machine, new FreePoints(points));
            pci.Bars.TryGet(RdmaRig.Gpu, 1, out BarProvider? found).ThrowIfError();
            provider = found!;
            RdmaNic.TryCreate(new RdmaWire(), pci, PciAddress.Parse(RdmaRig.NearPlace), null, out RdmaNic? made).ThrowIfError();
            nic = made!;
            machine.Spaces.TryCreate(out Core.Spaces.AddressSpace? space).ThrowIfError();
            nic.TryOpen(space!, new PageCount(1), out RdmaContext? context).ThrowIfError();
            context!.TryCreateDomain(out ProtectionDomain? protection).ThrowIfError();
            domain = protection!;
            nic.Points = points;
        }

        internal PhysRange Vram(int page) =>
            provider.Aperture.Slice(new PageCount((ulong)page).ToBytes(), new ByteCount(4096));

        internal BufferHandle Moving(out MovingBuffer exporter)
        {
            MovingBuffer.TryExport(system.Buffers, pci.Owners, provider, [Vram(0)], out MovingBuffer? made, out BufferHandle? handle).ThrowIfError();
            exporter = made!;
            return handle!;
        }

        internal BufferHandle Revocable(out BarBuffer exporter)
        {
            new BarExporter(system.Buffers, pci) { PinsForRevocable = true }.TryExport(
                RdmaRig.Gpu, 1, [new BarRange(default, new ByteCount(4096))], out BarBuffer? made, out BufferHandle? handle).ThrowIfError();
            exporter = made!;
            return handle!;
        }

        internal RegionBacking Register(BufferHandle handle, RegionContract contract)
        {
            domain.TryRegisterBuffer(handle, default, new ByteCount(4096), default, RdmaEnd.All, contract, out MemoryRegion? region).ThrowIfError();
            return region!.Backing;
        }

        internal byte ByteAt(int page)
        {
            using Core.Native.SpanLease lease = machine.Lease(Vram(page));
            return lease.Bytes[0];
        }

        internal void Release(RegionBacking region)
        {
            isReleased = true;
            region.Release();
        }

        internal bool End(RegionBacking region, BufferHandle handle)
        {
            if (!isReleased)
            {
                Release(region);
            }

            handle.Dispose();
            isAtRest = true;
            system.Validate();
            return nic.View.LiveMappings == 0 && system.Buffers.Count == 0;
        }

        public void Dispose()
        {
            if (isAtRest) // what a failed schedule leaves cannot be cleared away
            {
                machine.Dispose();
            }
        }

        /// <summary>The points that are reached with no reservation locked, which the other actors enter.</summary>
        private sealed class FreePoints(IYieldPoints points) : IYieldPoints
        {
            public void Reach(string point)
            {
                if (point is not ("list-before-count" or "read-slot" or "slot-before-count"))
                {
                    points.Reach(point);
                }
            }

            public void WaitUntil(string point, Func<bool> isReady) => points.WaitUntil(point, isReady);
        }
    }
}
