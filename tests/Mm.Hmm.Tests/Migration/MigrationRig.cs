using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Pagemaps;
using Mm.Core.Spaces;
using Mm.Hmm.Migration;
using Mm.Hmm.Mirrors;
using Mm.Hmm.Tests.Mirrors;

namespace Mm.Hmm.Tests.Migration;

/// <summary>A process and a device whose pages tests migrate step by step, as a driver does.</summary>
internal sealed class MigrationRig(MirrorMemoryKind kind = MirrorMemoryKind.Private) : IDisposable
{
    internal MirrorRig Base { get; } = new(kind);

    internal Machine Machine => Base.Machine;

    internal AddressSpace Space => Base.Space;

    internal MirrorDevice Device => Base.Device;

    internal MigrateSelect DeviceMemory => Base.IsCoherent ? MigrateSelect.DeviceCoherent : MigrateSelect.DevicePrivate;

    internal AreaMigration SetUp(VirtRange range, MigrateSelect select = MigrateSelect.System, MirrorDevice? device = null)
    {
        var request = new MigrationRequest(range, select, device ?? Device);
        Assert.That(AreaMigration.TrySetUp(Space, request, out AreaMigration? migration), Is.EqualTo(Errno.Ok));
        return migration!;
    }

    internal PageRef TakeRam()
    {
        Machine.Allocator.TryAllocate(AllocationRequest.User, out PageRef page).ThrowIfError();
        return page;
    }

    /// <summary>Gives an offered page a place on the device, without writing it.</summary>
    internal Pfn GiveDevicePage(AreaMigration migration, int index)
    {
        Assert.That(Device.TryTakePage(Base.Mirror, out PageRef page, out PageLock pageLock), Is.True);
        Pfn frame = page.Page;
        migration.SetTarget(index, page, migration.Sources[index].IsWritable || migration.IsAreaWritable, pageLock);
        return frame;
    }

    internal Pfn GiveRam(AreaMigration migration, int index)
    {
        PageRef page = TakeRam();
        Pfn frame = page.Page;
        migration.SetTarget(index, page, migration.Sources[index].IsWritable);
        return frame;
    }

    /// <summary>Copies a page to its destination, as the device's engine would.</summary>
    internal void Copy(AreaMigration migration, int index)
    {
        Write(migration.Sources[index], migration.Targets[index].Page);
        migration.SetWritten(index);
    }

    internal void Write(MigratePfn source, Pfn target)
    {
        Device.Bytes.TryLease(target, PageSize.Small, out SpanLease to).ThrowIfError();
        using (to)
        {
            if (!source.HasPage)
            {
                to.Bytes.Clear();
                return;
            }

            Device.Bytes.TryLease(source.Page, PageSize.Small, out SpanLease from).ThrowIfError();
            using (from)
            {
                from.Bytes.CopyTo(to.Bytes);
            }
        }
    }

    internal StayReason[] Reasons(VirtRange range, MigrateSelect select = MigrateSelect.System)
    {
        using AreaMigration migration = SetUp(range, select);
        return migration.Reasons.ToArray();
    }

    public void Dispose() => Base.Dispose();
}
