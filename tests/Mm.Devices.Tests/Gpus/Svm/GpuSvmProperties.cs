using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Spaces;
using Mm.Devices.Gpus.Objects;
using Mm.Devices.Gpus.Svm;
using Mm.Hmm.Copying;

namespace Mm.Devices.Tests.Gpus.Svm;

/// <summary>Random work of CPU, GPU, driver and process on one array: both see the bytes that were written last, wherever they lie.</summary>
internal sealed class GpuSvmProperties
{
    private const ulong Base = 0x4000_0000;
    private const int Pages = 48;

    [FsCheck.NUnit.Property(MaxTest = 60)]
    public bool Memory_AnyWorkOnIt_KeepsItsBytes((byte Verb, byte Page, byte How)[] steps)
    {
        using var world = new World();
        foreach ((byte verb, byte page, byte how) in steps)
        {
            world.Step(verb, page % Pages, how);
            if (!world.IsSound())
            {
                return false;
            }
        }

        return world.Holds();
    }

    private sealed class World : IDisposable
    {
        private readonly SvmRig rig = new(memoryKiB: 2048, visibleKiB: 1984, new SvmOptions
        {
            Chunks = [ByteCount.FromKiB(64), ByteCount.FromKiB(16), ByteCount.FromKiB(4)],
            BlockLength = ByteCount.FromKiB(128),
        });

        private readonly byte[]?[] model = new byte[]?[Pages]; // null: not mapped
        private readonly List<PagePin> pins = [];
        private GpuObject? greedy;

        internal World()
        {
            rig.Map(Pages * GpuRig.Page, at: Base);
            for (int page = 0; page < Pages; page++)
            {
                model[page] = [0];
            }
        }

        internal void Step(byte verb, int page, byte how)
        {
            VirtAddr at = AddressOf(page);
            switch (verb % 14)
            {
                case 0 or 1:
                    NoteWrite(page, how, rig.Space.Write(at, [how]) == FaultResult.Done);
                    break;
                case 2 or 3:
                    rig.Svm.Policy = new SvmRequest { WantsDevice = how % 2 == 0, AllowsMixed = how % 3 == 0 };
                    NoteWrite(page, how, rig.Svm.TryWrite(at, [how]).IsOk);
                    break;
                case 4:
                    _ = rig.Svm.TryFault(at, new SvmRequest { RequiresDevice = true, IsReadOnly = how % 2 == 0 });
                    break;
                case 5:
                    _ = Look(page, byGpu: how % 2 == 0);
                    break;
                case 6:
                    FailOne(at, how);
                    break;
                case 7:
                    Unmap(page, how);
                    break;
                case 8:
                    Drop(page);
                    break;
                case 9:
                    Pin(page);
                    break;
                case 10:
                    rig.Gpu.Gpu.EvictProcesses();
                    break;
                case 11:
                    rig.Gpu.Gpu.Reset();
                    break;
                case 12:
                    Press();
                    break;
                default:
                    Fork(page, how);
                    break;
            }
        }

        // What the GPU knows lies inside its ranges, and every page of its memory is somebody's.
        internal bool IsSound()
        {
            rig.Gpu.Gpu.Validate();
            return rig.Svm.Ranges.All(static range => range.MappedBytes <= range.Range.Length);
        }

        internal bool Holds() => Enumerable.Range(0, Pages).All(page => Look(page, byGpu: true) && Look(page, byGpu: false));

        public void Dispose()
        {
            pins.ForEach(static pin => pin.Dispose());
            greedy?.Dispose();
            rig.Dispose();
        }

        private static VirtAddr AddressOf(int page) => new(Base + ((ulong)page * GpuRig.Page));

        private void NoteWrite(int page, byte value, bool isDone)
        {
            Assert.That(isDone, Is.EqualTo(model[page] is not null));
            if (isDone)
            {
                model[page] = [value];
            }
        }

        private bool Look(int page, bool byGpu)
        {
            byte[] seen = new byte[1];
            bool isRead = byGpu
                ? rig.Svm.TryRead(AddressOf(page), seen).IsOk
                : rig.Space.Read(AddressOf(page), seen) == FaultResult.Done;
            return isRead == (model[page] is not null) && (!isRead || seen[0] == model[page]![0]);
        }

        private void FailOne(VirtAddr at, byte how)
        {
            FaultPoint[] points = [CopyFaults.Page, CopyFaults.Queue, FaultPoint.DevicePage, FaultPoint.Slab];
            rig.Machine.Faults.FailNth(points[how % 4], (ulong)(how % 7) + 1);
            _ = rig.Svm.TryFault(at, new SvmRequest { WantsDevice = true });
            rig.Machine.Faults.Clear();
        }

        private void Unmap(int page, byte how)
        {
            int count = Math.Min((how % 4) + 1, Pages - page);
            rig.Space.TryUnmap(AddressOf(page), new PageCount((ulong)count).ToBytes()).ThrowIfError();
            for (int each = page; each < page + count; each++)
            {
                model[each] = null;
            }

            if (how % 2 == 0)
            {
                rig.Svm.CollectGarbage();
            }
        }

        private void Drop(int page)
        {
            if (model[page] is not null)
            {
                rig.Space.TryDropPages(AddressOf(page), PageSize.Small.Bytes).ThrowIfError();
                model[page] = [0];
            }
        }

        private void Pin(int page)
        {
            if (pins.Count > 0)
            {
                pins[0].Dispose();
                pins.RemoveAt(0);
                return;
            }

            var pin = new PagePin[1];
            if (rig.Space.TryPin(AddressOf(page), PinFlags.Write, pin, out _).IsOk)
            {
                pins.Add(pin[0]);
            }
        }

        // A buffer that wants most of the GPU's memory, or leaves it again.
        private void Press()
        {
            greedy?.Dispose();
            greedy = greedy is null ? rig.Gpu.Create(490, GpuPlaces.VisibleVram) : null;
        }

        private void Fork(int page, byte how)
        {
            rig.Space.TryFork(out AddressSpace? child).ThrowIfError();
            using (child)
            {
                NoteWrite(page, how, rig.Svm.TryWrite(AddressOf(page), [how]).IsOk);
                if (model[page] is not null)
                {
                    Assert.That(child!.Write(AddressOf(page), [unchecked((byte)(how + 1))]), Is.EqualTo(FaultResult.Done));
                }
            }
        }
    }
}
