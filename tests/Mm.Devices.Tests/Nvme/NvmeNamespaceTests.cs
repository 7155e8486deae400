using Mm.Core;
using Mm.Core.Native;
using Mm.Devices.Nvme;

namespace Mm.Devices.Tests.Nvme;

internal sealed class NvmeNamespaceTests
{
    [TestCase(512UL, 1_024_000UL, 1_024_000UL)]
    [TestCase(4096UL, 10_000UL, 8_192UL)]
    public void Size_OfAFile_IsItsWholeBlocks(ulong block, ulong length, ulong size)
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(path, new byte[length]);
            using var space = new NvmeNamespace(3, DirectFile.Open(path), new ByteCount(block));

            Assert.That((space.Id, space.Size, space.BlockSize), Is.EqualTo((3u, new ByteCount(size), new ByteCount(block))));
            Assert.That(space.ToString(), Does.StartWith("namespace 3, "));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
