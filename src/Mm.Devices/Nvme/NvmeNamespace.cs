using Mm.Core;
using Mm.Core.Native;

namespace Mm.Devices.Nvme;

/// <summary>The blocks of a drive, which lie in a file of the real system.</summary>
/// <remarks>
/// Owns the open file. Bytes of a file that are no whole block at its end are not part of it.
/// <para><b>Linux:</b> struct nvme_ns as a driver sees it (v6.12).</para>
/// <para><b>Locking:</b> immutable but for the bytes; safe from any thread.</para>
/// </remarks>
public sealed class NvmeNamespace : IDisposable
{
    internal NvmeNamespace(uint id, DirectFile file, ByteCount blockSize)
    {
        Id = id;
        File = file;
        BlockSize = blockSize;
        Size = new ByteCount(file.Length.Value / blockSize.Value * blockSize.Value);
    }

    /// <summary>Its number, from 1.</summary>
    public uint Id { get; }

    /// <summary>The file, which counts what went past the page cache.</summary>
    public DirectFile File { get; }

    /// <summary>The bytes of a block.</summary>
    public ByteCount BlockSize { get; }

    /// <summary>The bytes of all blocks.</summary>
    public ByteCount Size { get; }

    /// <summary>Closes the file. Twice does nothing.</summary>
    public void Dispose() => File.Dispose();

    /// <summary>Number, size and file.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => $"namespace {Id}, {Size} in blocks of {BlockSize}, {(File.IsDirect ? "direct" : "buffered")}";
}
