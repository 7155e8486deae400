using Mm.Core;
using Mm.Core.Spaces;
using Mm.DmaBuf.Buffers;
using Mm.Testing.Interleavings;

namespace Mm.DmaBuf.Tests.Exporters;

/// <summary>Sealing against creating, in every order of their steps (museum 22).</summary>
internal sealed class UdmabufDeviceInterleavings
{
    [Test]
    public void Create_AgainstAWriteSeal_OneOfThemIsRefused()
    {
        Exploration result = new Explorer().Explore(points =>
        {
            var rig = new BufferRig(points);
            MemoryFile file = rig.SealedFile(2);
            Errno created = Errno.EIO;
            Errno sealing = Errno.EIO;
            BufferHandle? handle = null;
            return new Scenario()
                .Actor("creator", () => created = rig.System.Udmabuf.TryCreate([BufferRig.Item(file, 0, 2)], out handle))
                .Actor("sealer", () =>
                {
                    points.Reach("before-seal");
                    sealing = file.TryAddSeals(FileSeals.Write);
                    points.Reach("after-seal");
                })
                .Finally("a buffer of a sealed file there is not", () => created.IsOk != sealing.IsOk)
                .Finally("the reasons", () => created.IsOk ? sealing == Errno.EBUSY : created == Errno.EINVAL)
                .Finally("all is given back", () =>
                {
                    handle?.Dispose();
                    rig.Dispose();
                    return true;
                });
        });
        result.ThrowIfFailed();
        Assert.That(result.Schedules, Is.GreaterThan(2));
    }
}
