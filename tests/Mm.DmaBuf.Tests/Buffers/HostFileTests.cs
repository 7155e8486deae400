using System.Diagnostics;
using Mm.Core;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Reservations;

namespace Mm.DmaBuf.Tests.Buffers;

/// <summary>Another process reads and writes the bytes of a buffer; on systems other than Linux it is refused.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HostFileTests : IDisposable
{
    private const int Length = 5 * BufferRig.Page;

    private readonly BufferRig rig = new();

    public void Dispose() => rig.Dispose();

    [Test]
    public void HostFile_WhereTheSystemCannot_IsRefused()
    {
        using BufferHandle handle = rig.Heap();
        Errno errno = Open(handle, out HostFile? file);
        Assert.That(errno, Is.EqualTo(OperatingSystem.IsLinux() ? Errno.Ok : Errno.EOPNOTSUPP));
        file?.Dispose();
    }

    [Test]
    [Platform("Linux")]
    public void HostFile_OfAFilesPages_IsReadAndWrittenByAnotherProcess()
    {
        using BufferHandle handle = rig.Udmabuf(rig.SealedFile(7), 1, 5);
        using KernelView view = BufferRig.View(handle.Buffer);
        byte[] first = BufferRig.Bytes(Length, seed: 1);
        view.TryWrite(ByteCount.Zero, first).ThrowIfError();
        Open(handle, out HostFile? file).ThrowIfError();
        using (file)
        {
            Assert.That(file!.Size, Is.EqualTo(handle.Buffer.Size));
            Assert.That(ReadElsewhere(file.Path), Is.EqualTo(first), "opening changes no byte");
            byte[] second = BufferRig.Bytes(Length, seed: 2);
            view.TryWrite(ByteCount.Zero, second).ThrowIfError();
            Assert.That(ReadElsewhere(file.Path), Is.EqualTo(second), "written here, seen there");
            WriteElsewhere(file.Path, first);
            Assert.That(Read(view), Is.EqualTo(first), "written there, seen here");
        }

        Assert.That(Read(view), Is.EqualTo(first), "ending changes no byte");
        file.Dispose();
    }

    [Test]
    [Platform("Linux")]
    public void HostFile_OfTheSameBytes_IsThereOnceAtATime()
    {
        using BufferHandle handle = rig.Heap(Length);
        Open(handle, out HostFile? file).ThrowIfError();
        Assert.That(Open(handle, out _), Is.EqualTo(Errno.EBUSY));
        file!.Dispose();
        Assert.That(Open(handle, out file), Is.EqualTo(Errno.Ok));
        file!.Dispose();
        Assert.That(handle.Buffer.HandleCount, Is.EqualTo(1));
    }

    [Test]
    [Platform("Linux")]
    public void HostFile_PinsMemoryThatMoves()
    {
        using var peers = new PeerRig();
        using BufferHandle handle = peers.Moving(out MovingBuffer exporter);
        Open(handle, out HostFile? file).ThrowIfError();
        Assert.That(exporter.TryMoveToRam(), Is.EqualTo(Errno.EBUSY));
        file!.Dispose();
        Assert.That(exporter.TryMoveToRam(), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void HostFile_OfWhatCannotBeMapped_IsEinval()
    {
        using var peers = new PeerRig();
        using BufferHandle handle = peers.Bar(out _, PeerRig.Piece(0, 4096));
        Assert.That(Open(handle, out _), Is.EqualTo(Errno.EINVAL));
    }

    [Test]
    public void HostFile_OfOddBytes_IsEinvalAndLeavesNoPin()
    {
        var exporter = new FakeExporter(rig.Machine)
        {
            Start = new PhysAddr(0x100100),
            Traits = new BufferTraits { Moves = true, HasCpuMap = true },
        };
        DmaBuffer.TryExport(rig.System.Buffers, exporter, reservation: null, out BufferHandle? handle).ThrowIfError();
        using (handle)
        {
            Assert.That((Open(handle!, out _), exporter.Pins), Is.EqualTo((Errno.EINVAL, 0)));
        }
    }

    private static Errno Open(BufferHandle handle, out HostFile? file)
    {
        using ReservationLock held = handle.Buffer.Reservation.Lock();
        return handle.Buffer.TryOpenHostFile(held, out file);
    }

    private static byte[] Read(KernelView view)
    {
        byte[] bytes = new byte[Length];
        view.TryRead(ByteCount.Zero, bytes).ThrowIfError();
        return bytes;
    }

    private static byte[] ReadElsewhere(string path)
    {
        using Process reader = Start("cat", path);
        using var bytes = new MemoryStream();
        reader.StandardOutput.BaseStream.CopyTo(bytes);
        reader.WaitForExit();
        return bytes.ToArray();
    }

    private static void WriteElsewhere(string path, byte[] bytes)
    {
        using Process writer = Start("dd", $"of={path}", "conv=notrunc", "status=none");
        writer.StandardInput.BaseStream.Write(bytes);
        writer.StandardInput.Close();
        writer.WaitForExit();
    }

    private static Process Start(string program, params string[] arguments) => Process.Start(new ProcessStartInfo(program, arguments)
    {
        UseShellExecute = false,
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;
}
