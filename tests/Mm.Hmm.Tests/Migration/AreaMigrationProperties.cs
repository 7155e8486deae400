using FsCheck;
using FsCheck.Fluent;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;
using Mm.Hmm.Tests.Mirrors;

namespace Mm.Hmm.Tests.Migration;

/// <summary>
/// Random programs over 2 MiB that want to be one page, with two devices, a child, partial unmapping and failures, against a word
/// for each of some pages: the newer kernel, which moves them whole, and the older one, which breaks them up.
/// </summary>
public sealed class AreaMigrationProperties
{
    private static readonly int[] Watched = [0, 1, 255, 511];

    private static readonly FaultPoint[] Points = [FaultPoint.PageAlloc, FaultPoint.DevicePage, CopyFaults.Page];

    [FsCheck.NUnit.Property(MaxTest = 40)]
    public Property LargePages_OfTheNewerKernel_KeepTheirBytes((byte What, byte How)[] program) =>
        Run(program, LinuxProfile.V619).ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 20)]
    public Property LargePages_OfTheOlderKernel_KeepTheirBytes((byte What, byte How)[] program) =>
        Run(program, LinuxProfile.V612).ToProperty();

    private static bool Run((byte What, byte How)[] program, LinuxProfile profile)
    {
        using var rig = new MirrorRig(deviceMiB: 4, hasOwnEngines: true, profile: profile);
        var world = new World(rig);
        foreach ((byte what, byte how) in program)
        {
            world.Step(what % 12, how);
            rig.Machine.Faults.Clear();
            rig.Machine.Validate();
        }

        world.Check();
        world.Child?.Dispose();
        return true;
    }

    private sealed class World(MirrorRig rig)
    {
        private readonly VirtRange range = rig.MapHuge();
        private readonly byte[] parent = new byte[Watched.Length];
        private byte[] child = [];
        private byte next = 1;

        internal AddressSpace? Child { get; private set; }

        internal void Step(int what, byte how)
        {
            int watched = how % Watched.Length;
            DeviceMirror mirror = rig.Mirrors[how >> 2 & 1];
            VirtRange part = (how >> 3 & 3) switch
            {
                0 => range,
                1 => MirrorRig.Part(range, 0, 256),
                2 => MirrorRig.Part(range, 200, 312),
                _ => MirrorRig.Part(range, Watched[watched]),
            };
            switch (what)
            {
                case 0 or 1:
                    Write(rig.Space, parent, watched);
                    break;
                case 2 when Child is not null:
                    Write(Child, child, watched);
                    break;
                case 3 or 4:
                    mirror.TryMigrateToDevice(part, out _).ThrowIfError();
                    break;
                case 5:
                    mirror.TryMigrateToSystem(part, out _).ThrowIfError();
                    break;
                case 6:
                    FailThenMigrate(mirror, part, how);
                    break;
                case 7:
                    DeviceWrites(mirror, watched);
                    break;
                case 8:
                    Drop(part);
                    break;
                case 9 when Child is null:
                    Child = rig.Fork();
                    child = [.. parent];
                    break;
                case 9:
                    Child.Dispose();
                    Child = null;
                    break;
                case 10:
                    _ = rig.Devices[how & 1].Evict();
                    break;
                default:
                    Assert.That(Read(rig.Space, watched), Is.EqualTo(parent[watched]));
                    break;
            }
        }

        internal void Check()
        {
            for (int watched = 0; watched < Watched.Length; watched++)
            {
                Assert.That(Read(rig.Space, watched), Is.EqualTo(parent[watched]), $"page {Watched[watched]}");
                Assert.That(Child is null ? default : Read(Child, watched), Is.EqualTo(Child is null ? default : child[watched]));
            }
        }

        private VirtAddr At(int watched) => MirrorRig.Part(range, Watched[watched]).Start;

        private byte Read(AddressSpace space, int watched)
        {
            Span<byte> one = stackalloc byte[1];
            Assert.That(space.Read(At(watched), one), Is.EqualTo(FaultResult.Done));
            return one[0];
        }

        private void Write(AddressSpace space, byte[] words, int watched)
        {
            words[watched] = next;
            next = unchecked((byte)(next + 1)); // any other value will do
            Assert.That(space.Write(At(watched), [words[watched]]), Is.EqualTo(FaultResult.Done));
        }

        // A page on the device that processes share cannot be written there: the test device gives up, as the kernel's does.
        private void DeviceWrites(DeviceMirror mirror, int watched)
        {
            byte[] page = new byte[MirrorRig.PageBytes];
            page[0] = next;
            if (mirror.TryWrite(MirrorRig.Part(range, Watched[watched]), page, out _).IsOk)
            {
                parent[watched] = next;
                next = unchecked((byte)(next + 1)); // any other value will do
            }
        }

        private void FailThenMigrate(DeviceMirror mirror, VirtRange part, byte how)
        {
            rig.Machine.Faults.FailNth(Points[how % Points.Length], 1, (ulong)(1 + (how >> 6)));
            Errno errno = (how & 1) == 0 ? mirror.TryMigrateToDevice(part, out _) : mirror.TryMigrateToSystem(part, out _);
            Assert.That(errno, Is.EqualTo(Errno.Ok), "what fails stays where it is");
        }

        private void Drop(VirtRange part)
        {
            rig.Space.TryDropPages(part.Start, part.Length).ThrowIfError();
            for (int watched = 0; watched < Watched.Length; watched++)
            {
                parent[watched] = part.Contains(At(watched)) ? (byte)0 : parent[watched];
            }
        }
    }
}
