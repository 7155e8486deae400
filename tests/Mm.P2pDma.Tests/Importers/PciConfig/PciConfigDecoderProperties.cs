using Mm.P2pDma.Importers.PciConfig;

namespace Mm.P2pDma.Tests.Importers.PciConfig;

public sealed class PciConfigDecoderProperties
{
    // Whatever the bytes: an answer, no exception, no endless walk. The seed makes spaces whose pointers are wild.
    [FsCheck.NUnit.Property(MaxTest = 2000)]
    public void Decode_AnyBytes_Answers(int seed, bool isLong)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[isLong ? 4096 : 256];
        random.NextBytes(bytes);
        bytes[0x0e] = (byte)random.Next(0, 3);
        bytes[0x06] |= 0x10;

        PciConfigSpace space = PciConfigDecoder.Decode(bytes);

        Assert.Multiple(() =>
        {
            Assert.That(space.Capabilities, Has.Count.LessThanOrEqualTo(48));
            Assert.That(space.ExtendedCapabilities, Has.Count.LessThanOrEqualTo(960));
            Assert.That(space.Capabilities.Select(c => c.Offset), Is.Unique);
            Assert.That(space.ExtendedCapabilities.Select(c => c.Offset), Is.Unique);
            Assert.That(space.Defects.Select(d => d.Offset), Is.All.InRange(0, bytes.Length - 1));
        });
    }

    // A shorter dump never knows more, nor anything else.
    [FsCheck.NUnit.Property(MaxTest = 300)]
    public void Decode_ShorterDump_KnowsNothingElse(int seed)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[4096];
        random.NextBytes(bytes.AsSpan(0, 64));
        bytes[0x0e] = 0;
        PciConfigSpace whole = PciConfigDecoder.Decode(bytes);
        PciConfigSpace part = PciConfigDecoder.Decode(bytes.AsSpan(0, 64));

        Assert.Multiple(() =>
        {
            Assert.That(part.Id, Is.EqualTo(whole.Id));
            Assert.That(part.Bars, Is.EqualTo(whole.Bars));
            Assert.That(part.AreCapabilitiesKnown && !whole.AreCapabilitiesKnown, Is.False);
        });
    }
}
