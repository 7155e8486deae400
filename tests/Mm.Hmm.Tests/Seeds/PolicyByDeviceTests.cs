using Mm.Core;
using Mm.Core.Policies;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;

namespace Mm.Hmm.Tests.Seeds;

/// <summary>The demand "policy by device, not mbind": where memory lies is the device's driver's to say, and no node stands for its memory.</summary>
[Category("Seeds")]
internal sealed class PolicyByDeviceTests
{
    private const int Pages = 96;
    private static readonly NodeId DeviceNode = new(3);

    [Test]
    public void PolicyByDevice_NotByMbind([Values(MirrorMemoryKind.Private, MirrorMemoryKind.Coherent)] MirrorMemoryKind kind)
    {
        using Machine machine = Machine.CreateBuilder()
            .AddRam(new NodeId(0), new PhysRange(default, ByteCount.FromMiB(16)))
            .AddRam(new NodeId(1), new PhysRange(new PhysAddr(1UL << 32), ByteCount.FromMiB(16)))
            .Build();
        using (MirrorDevice device = Make(machine, kind))
        {
            machine.Spaces.TryCreate(out AddressSpace? created).ThrowIfError();
            using AddressSpace space = created!;
            device.TryOpen(space, out DeviceMirror? mirror).ThrowIfError();
            VirtRange array = Map(space);
            RefusesTheNode(machine, space, array);
            CostsNothingUnused(machine, device, mirror!, array);
            IsHonoured(machine, device, mirror!, space, array);
            YieldsToNobodyElse(device, mirror!, space, array);
            mirror!.Dispose();
            machine.Validate();
        }

        machine.Validate();
    }

    // mbind and its sisters: the device's node exists, its memory is there, and no policy may name it.
    private static void RefusesTheNode(Machine machine, AddressSpace space, VirtRange array)
    {
        Assert.That((machine.Nodes.IsOnline(DeviceNode), machine.Nodes.WithMemory.Contains(DeviceNode)), Is.EqualTo((true, false)));
        var node = new NodeSet(DeviceNode);
        foreach (PolicyMode mode in new[] { PolicyMode.Preferred, PolicyMode.Bind, PolicyMode.PreferredMany, PolicyMode.Interleave })
        {
            Assert.That(space.TryBind(array.Start, array.Length, mode, node), Is.EqualTo(Errno.EINVAL), $"{mode}");
            Assert.That(space.Placement.TrySetPolicy(mode, node), Is.EqualTo(Errno.EINVAL), $"{mode}");
        }

        var status = new PageMoveStatus[1];
        Assert.That(space.TryMovePages([array.Start], [DeviceNode], status, out _), Is.EqualTo(Errno.ENODEV));
    }

    private static void CostsNothingUnused(Machine machine, MirrorDevice device, DeviceMirror mirror, VirtRange array)
    {
        PageCount before = machine.Allocator.Statistics.InUse;
        mirror.Prefer(array);
        Assert.That((device.UsedPages, machine.Allocator.Statistics.InUse), Is.EqualTo((PageCount.Zero, before)), "a wish takes no memory");
    }

    private static void IsHonoured(Machine machine, MirrorDevice device, DeviceMirror mirror, AddressSpace space, VirtRange array)
    {
        PageCount before = machine.Allocator.Statistics.InUse;
        var first = new VirtRange(array.Start, new ByteCount(8 * 4096));
        byte[] written = Bytes(first, 0x5a);
        mirror.TryWrite(first, written, out MirrorTransfer done).ThrowIfError();
        Assert.That((device.UsedPages.Value, done.Faults), Is.EqualTo((8UL, 1)), "what the device touches comes to it, and no more");
        Assert.That(machine.Allocator.Statistics.InUse, Is.EqualTo(before), "and no page of RAM");

        // A policy of the process's for the same range is about RAM, and does not contradict the driver's.
        space.TryBind(array.Start, array.Length, PolicyMode.Bind, new NodeSet(new NodeId(1)), BindFlags.Move | BindFlags.Strict).ThrowIfError();
        Assert.That(device.UsedPages.Value, Is.EqualTo(8UL), "pages of the device are passed over in silence");
        var status = new PageMoveStatus[1];
        space.TryMovePages([array.Start], [new NodeId(1)], status, out _).ThrowIfError();
        Assert.That(status[0].Errno, Is.EqualTo(Errno.ENOENT));

        byte[] seen = new byte[first.Length.Value];
        mirror.TryRead(first, seen, out _).ThrowIfError();
        Assert.That(seen, Is.EqualTo(written));
    }

    private static void YieldsToNobodyElse(MirrorDevice device, DeviceMirror mirror, AddressSpace space, VirtRange array)
    {
        // The CPU's touch: private memory comes to RAM, on the node of the policy; coherent memory it uses where it is.
        Span<byte> one = stackalloc byte[1];
        Assert.That(space.Read(array.Start, one), Is.EqualTo(FaultResult.Done));
        Assert.That(one[0], Is.EqualTo(0x5a));
        ulong left = device.Kind == MirrorMemoryKind.Private ? 7UL : 8UL;
        Assert.That(device.UsedPages.Value, Is.EqualTo(left));
        var status = new PageMoveStatus[1];
        space.QueryNodes([array.Start], status);
        NodeId expected = device.Kind == MirrorMemoryKind.Private ? new NodeId(1) : NodeId.None;
        Assert.That(status[0].Node, Is.EqualTo(expected), "what comes back comes where the process's policy says");

        // The device touches it again: it goes back. Where the wish was taken back, it is mapped where it is.
        var page = new VirtRange(array.Start, PageSize.Small.Bytes);
        mirror.TryRead(page, new byte[4096], out _).ThrowIfError();
        Assert.That(device.UsedPages.Value, Is.EqualTo(8UL));
        var rest = new VirtRange(new VirtAddr(array.Start.Value + (32 * 4096)), new ByteCount(64 * 4096));
        mirror.Unprefer(rest);
        mirror.TryWrite(rest, Bytes(rest, 1), out _).ThrowIfError();
        Assert.That(device.UsedPages.Value, Is.EqualTo(8UL));
        Assert.That(space.TryQueryNode(rest.Start, out NodeId node), Is.EqualTo(Errno.Ok));
        Assert.That(node, Is.EqualTo(new NodeId(1)), "and the process's policy says where that is");
    }

    private static MirrorDevice Make(Machine machine, MirrorMemoryKind kind)
    {
        var range = new PhysRange(new PhysAddr(1UL << 40), ByteCount.FromMiB(2));
        Errno errno = kind == MirrorMemoryKind.Private
            ? MirrorDevice.TryCreatePrivate(machine, "gpu", range.Length, out MirrorDevice? device, node: DeviceNode)
            : MirrorDevice.TryCreateCoherent(machine, "gpu", range, out device, node: DeviceNode);
        errno.ThrowIfError();
        return device!;
    }

    private static VirtRange Map(AddressSpace space)
    {
        var request = new AreaRequest(new ByteCount(Pages * 4096), new AreaTraits(AreaKind.AnonymousPrivate, AreaAccess.ReadWrite));
        space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    private static byte[] Bytes(VirtRange range, byte value)
    {
        byte[] bytes = new byte[range.Length.Value];
        Array.Fill(bytes, value);
        return bytes;
    }
}
