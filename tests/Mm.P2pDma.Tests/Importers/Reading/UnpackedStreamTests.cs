using System.IO.Compression;
using ICSharpCode.SharpZipLib.BZip2;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.Reading;

namespace Mm.P2pDma.Tests.Importers.Reading;

public sealed class UnpackedStreamTests
{
    [FsCheck.NUnit.Property(MaxTest = 60)]
    public void Read_AnyBytesPacked_ComeBack(byte[] first, byte[] second, bool isBzip2)
    {
        byte[] start = [1, .. first]; // the platform's packer makes no file at all of nothing
        byte[] packed = [.. Pack(start, isBzip2), .. Pack(second, isBzip2)];

        Assert.That(Unpack(packed), Is.EqualTo(start.Concat(second)), "two pieces, one after another, as parallel packers write them");
    }

    // Never a shorter file in place of an error: that would be another machine.
    [TestCase(false)]
    [TestCase(true)]
    public void Read_CutAnywhere_IsRefused(bool isBzip2)
    {
        byte[] packed = Pack(Enumerable.Range(0, 500).Select(index => (byte)(index % 251)).ToArray(), isBzip2);
        for (int length = 4; length < packed.Length; length++)
        {
            byte[] cut = packed[..length];
            ImportRefusedException? refusal = Assert.Throws<ImportRefusedException>(() => Unpack(cut), $"cut at {length}");
            Assert.That(refusal!.Error.What, Is.EqualTo("the packed file is damaged or cut off"));
        }
    }

    [FsCheck.NUnit.Property(MaxTest = 200)]
    public void Read_DamagedAnywhere_IsRefusedOrSaysTheSame(int seed, bool isBzip2)
    {
        var random = new Random(seed);
        byte[] contents = new byte[300];
        random.NextBytes(contents);
        byte[] packed = Pack(contents, isBzip2);
        packed[random.Next(4, packed.Length)] ^= (byte)(1 << random.Next(8));
        try
        {
            Assert.That(Unpack(packed), Is.EqualTo(contents), "a header's time or system may change, contents may not");
        }
        catch (ImportRefusedException refusal)
        {
            Assert.That(refusal.Error.Position.File, Is.EqualTo("f"));
        }
    }

    [TestCase("1F8B", true)]
    [TestCase("425A6839", true)]
    [TestCase("425A6830", false)]
    [TestCase("425A68", false)]
    [TestCase("1F", false)]
    [TestCase("", false)]
    public void IsPacked_Header_IsOfGzipOrBzip2(string hex, bool expected) =>
        Assert.That(UnpackedStream.IsPacked(Convert.FromHexString(hex)), Is.EqualTo(expected));

    private static byte[] Pack(byte[] bytes, bool isBzip2)
    {
        using var packed = new MemoryStream();
        using (Stream packer = isBzip2
            ? new BZip2OutputStream(packed) { IsStreamOwner = false }
            : new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            packer.Write(bytes);
        }

        return packed.ToArray();
    }

    private static byte[] Unpack(byte[] packed)
    {
        using var stored = new PeekableStream(new MemoryStream(packed));
        using UnpackedStream stream = UnpackedStream.Open(stored, packed.AsSpan(0, 4), new ImportPosition("f", 0, 0));
        using var unpacked = new MemoryStream();
        stream.CopyTo(unpacked);
        return unpacked.ToArray();
    }
}
