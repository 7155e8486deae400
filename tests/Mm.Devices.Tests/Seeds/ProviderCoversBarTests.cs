using Mm.Core;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Tests.Gpus;
using Mm.DmaBuf.Attachments;
using Mm.DmaBuf.Buffers;

namespace Mm.Devices.Tests.Seeds;

/// <summary>S4: one provider covers the whole BAR, is found by address, and takes everything with it when it goes.</summary>
[Category("Seeds")]
internal sealed class ProviderCoversBarTests
{
    private const int Exports = 64;

    [Test]
    public void Exports_OfOneBar_HaveOneProviderAndDieWithIt()
    {
        using var rig = new GpuRig();
        var shared = new List<Shared>();
        for (int index = 0; index < Exports; index++)
        {
            shared.Add(new Shared(rig, index));
        }

        Assert.That((rig.Pci.Bars.Count, rig.Machine.Providers.Count), Is.EqualTo((1, 1)), "one provider for all exports");
        foreach (Shared each in shared)
        {
            PhysAddr address = each.Mapping.List[0].Start;
            Assert.That(rig.Machine.Providers.Find(address), Is.SameAs(rig.Gpu.Provider), "found by address");
            Assert.That(each.Mapping.List.SingleOwner!.Provider, Is.SameAs(rig.Gpu.Provider), "and carried in the list");
            Assert.That(each.Mapping.List.SingleOwner.HasPages, Is.False);
            Assert.That(GpuRig.Read(each.Attachment), Is.EqualTo(each.Bytes));
        }

        DmaAddr[] addresses = [.. shared.Select(static each => each.Mapping.Segments[0].Address)];
        rig.Pci.TryUnbind(GpuRig.Place).ThrowIfError();
        Assert.That((rig.Pci.Bars.Count, rig.Machine.Providers.Count), Is.EqualTo((0, 0)));
        for (int index = 0; index < Exports; index++)
        {
            Assert.That(shared[index].Mapping.IsValid, Is.False);
            Assert.That(rig.Near.Port.TryRead(addresses[index], new byte[1], out _), Is.EqualTo(Errno.EFAULT), "no byte is reached");
        }

        rig.Gpu.Remove();
        shared.ForEach(static each => each.Dispose());
    }

    private sealed class Shared : IDisposable
    {
        private readonly GpuObject target;
        private readonly BufferHandle handle;

        internal Shared(GpuRig rig, int seed)
        {
            target = rig.Create((seed % 3) + 1, GpuPlaces.VisibleVram);
            Bytes = GpuRig.Bytes(((seed % 3) + 1) * GpuRig.Page, seed);
            GpuRig.Write(target, 0, Bytes);
            handle = GpuRig.Export(target);
            Attachment = GpuRig.Attach(handle, rig.Near, new TellingImporter());
            Mapping = GpuRig.Map(Attachment);
        }

        internal byte[] Bytes { get; }

        internal BufferAttachment Attachment { get; }

        internal BufferMapping Mapping { get; }

        public void Dispose()
        {
            Mapping.Dispose();
            Attachment.Dispose();
            handle.Dispose();
            target.Dispose();
        }
    }
}
