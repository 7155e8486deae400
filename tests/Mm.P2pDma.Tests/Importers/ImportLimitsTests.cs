using Mm.Core;
using Mm.P2pDma.Importers;

namespace Mm.P2pDma.Tests.Importers;

public sealed class ImportLimitsTests
{
    [Test]
    public void Init_ZeroLimit_Throws()
    {
        Assert.That(() => new ImportLimits { MaxFileSize = ByteCount.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxLineLength = ByteCount.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxUnpackedSize = ByteCount.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxMemberSize = ByteCount.Zero }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxDepth = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxElements = -1 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new ImportLimits { MaxErrors = 0 }, Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Default_Limits_AreTheDocumentedOnes()
    {
        Assert.That(ImportLimits.Default.MaxFileSize, Is.EqualTo(ByteCount.FromMiB(64)));
        Assert.That(ImportLimits.Default, Is.EqualTo(new ImportLimits()));
    }
}
