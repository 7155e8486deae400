using Mm.Core;
using Mm.Core.Checks;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Svm;

namespace Mm.Devices.Tests.Gpus;

/// <summary>A GPU with a process that opened it.</summary>
internal sealed class SvmRig : IDisposable
{
    internal SvmRig(ulong memoryKiB = 4096, ulong visibleKiB = 1024, SvmOptions? options = null, IYieldPoints? points = null)
    {
        Gpu = new GpuRig(memoryKiB, visibleKiB, points, racesSpaces: points is not null);
        Gpu.Spaces.TryCreate(out AddressSpace? space).ThrowIfError();
        Space = space!;
        Gpu.Gpu.TryOpen(Space, options ?? new SvmOptions(), out GpuSvm? svm).ThrowIfError();
        Svm = svm!;
    }

    internal GpuRig Gpu { get; }

    internal AddressSpace Space { get; }

    internal GpuSvm Svm { get; }

    internal Machine Machine => Gpu.Machine;

    internal ulong UsedVram => Gpu.Gpu.Memory.UsedPages.Value;

    internal static SvmRequest ToDevice => new() { WantsDevice = true };

    internal static SvmRequest OnDevice => new() { RequiresDevice = true };

    public void Dispose()
    {
        Space.Dispose();
        Svm.Dispose();
        Gpu.Dispose();
    }

    internal VirtRange Map(ulong length, AreaAccess access = AreaAccess.ReadWrite, ulong at = 0, bool isHuge = false)
    {
        var traits = new AreaTraits(AreaKind.AnonymousPrivate, access) { WantsHugePages = isHuge };
        var request = new AreaRequest(new ByteCount(length), traits)
        {
            At = new VirtAddr(at),
            Placement = at == 0 ? AreaPlacement.Anywhere : AreaPlacement.FixedNoReplace,
        };
        Space.TryMap(request, out VirtRange placed).ThrowIfError();
        return placed;
    }

    internal VirtRange MapFilled(ulong length, out byte[] bytes, ulong at = 0, bool isHuge = false)
    {
        VirtRange placed = Map(length, at: at, isHuge: isHuge);
        bytes = GpuRig.Bytes((int)length, (int)(at >> 12) + 1);
        Assert.That(Space.Write(placed.Start, bytes), Is.EqualTo(FaultResult.Done));
        return placed;
    }

    internal byte[] CpuRead(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        Assert.That(Space.Read(range.Start, bytes), Is.EqualTo(FaultResult.Done));
        return bytes;
    }

    internal byte[] GpuRead(VirtRange range)
    {
        byte[] bytes = new byte[range.Length.Value];
        Svm.TryRead(range.Start, bytes).ThrowIfError();
        return bytes;
    }
}
