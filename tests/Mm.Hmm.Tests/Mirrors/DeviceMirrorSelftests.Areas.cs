using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Mirrors;
using static Mm.Hmm.Tests.Mirrors.MirrorRig;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Areas that a driver fills.</summary>
public sealed partial class DeviceMirrorSelftests
{
    [Test]
    public void Mixedmap()
    {
        using var rig = new MirrorRig(kind);
        AreaTraits traits = new DriverPages(rig.Machine).Backing.Describe(AreaAccess.ReadWrite, isPrivate: true);
        rig.Space.TryMap(new AreaRequest(new ByteCount(PageBytes), traits), out VirtRange range).ThrowIfError();
        MirrorPage seen = TakeSnapshot(rig.Mirror, range)[0];
        Assert.That((seen.Word.IsValid, seen.Word.IsWritable, seen.Place), Is.EqualTo((true, false, MirrorPlace.System)));

        // Beyond the kernel's test: the device writes, and the process has a copy of its own.
        DeviceWrite(rig.Mirror, range, Words(1), faults: 1);
        AssertSame(rig.Read(range), Words(1));
        Assert.That(ToDevice(rig.Mirror, range, out _), Is.EqualTo(Errno.EINVAL), "a special area never migrates");
    }
}
