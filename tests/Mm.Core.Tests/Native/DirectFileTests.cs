using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

public sealed class DirectFileTests
{
    private string path = "";

    [SetUp]
    public void MakeFile()
    {
        path = Path.GetTempFileName();
        File.WriteAllBytes(path, [.. Enumerable.Range(0, 16_384).Select(static index => (byte)(index * 7 % 256))]);
    }

    [TearDown]
    public void DeleteFile() => File.Delete(path);

    [Test]
    public void Read_ToAlignedNativeBytes_GoesPastThePageCacheWhereTheSystemLets()
    {
        var ledger = new NativeBytes();
        using var region = new NativeRegion(ledger, new ByteCount(8192));
        using DirectFile file = DirectFile.Open(path);
        using (SpanLease lease = region.Lease(ByteCount.Zero, new ByteCount(8192)))
        {
            Assert.That(file.TryRead(new ByteCount(4096), lease.Bytes), Is.EqualTo(Errno.Ok));
            Assert.That(lease.Bytes.SequenceEqual(File.ReadAllBytes(path).AsSpan(4096, 8192)), Is.True);
        }

        Assert.That(file.Length, Is.EqualTo(new ByteCount(16_384)));
        Assert.That((file.DirectBytes.Value, file.BufferedBytes.Value), Is.EqualTo(file.IsDirect ? (8192UL, 0UL) : (0UL, 8192UL)));
    }

    [Test]
    public void ReadAndWrite_OddPlaces_GoThroughThePageCacheAndSaySo()
    {
        using DirectFile file = DirectFile.Open(path);
        Assert.That(file.TryWrite(new ByteCount(3), "abc"u8), Is.EqualTo(Errno.Ok));
        byte[] back = new byte[3];
        Assert.That(file.TryRead(new ByteCount(3), back), Is.EqualTo(Errno.Ok));

        Assert.That(back, Is.EqualTo("abc"u8.ToArray()));
        Assert.That((file.DirectBytes.Value, file.BufferedBytes.Value), Is.EqualTo((0UL, 6UL)));
        Assert.That(file.TryFlush(), Is.EqualTo(Errno.Ok));
    }

    [Test]
    public void Write_OfWholeBlocks_IsInTheFile([Values] bool wantsDirect)
    {
        var ledger = new NativeBytes();
        using var region = new NativeRegion(ledger, new ByteCount(4096));
        using (DirectFile file = DirectFile.Open(path, wantsDirect))
        {
            using SpanLease lease = region.Lease(ByteCount.Zero, new ByteCount(4096));
            lease.Bytes.Fill(0x5a);
            file.TryWrite(new ByteCount(8192), lease.Bytes).ThrowIfError();
            Assert.That(file.IsDirect && !wantsDirect, Is.False);
            Assert.That(file.ToString(), Does.EndWith(file.IsDirect ? "direct" : "buffered"));
        }

        Assert.That(File.ReadAllBytes(path).AsSpan(8192, 4096).ContainsAnyExcept((byte)0x5a), Is.False);
    }

    [Test]
    public void Read_PastTheEnd_IsEio()
    {
        using DirectFile file = DirectFile.Open(path);

        Assert.That(file.TryRead(new ByteCount(16_384), new byte[1]), Is.EqualTo(Errno.EIO));
        Assert.That(file.TryRead(new ByteCount(16_380), new byte[8]), Is.EqualTo(Errno.EIO));
    }

    [Test]
    public void Open_NoFile_Throws()
    {
        Assert.That(() => DirectFile.Open(path + "-not"), Throws.InstanceOf<IOException>());
        Assert.That(() => DirectFile.Open(""), Throws.InstanceOf<ArgumentException>());
    }

    [Test]
    public void Read_AfterDispose_Throws()
    {
        DirectFile file = DirectFile.Open(path);
        file.Dispose();
        file.Dispose();

        Assert.That(() => file.TryRead(ByteCount.Zero, new byte[1]), Throws.InstanceOf<ObjectDisposedException>());
    }
}
