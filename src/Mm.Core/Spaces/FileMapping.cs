namespace Mm.Core.Spaces;

/// <summary>One mapping's hold on a <see cref="MemoryFile"/>: the file lives, and is not sealed against writing if the mapping may write.</summary>
/// <remarks>
/// Owns a reference of the file. Splitting an area takes another one for the new part.
/// <para><b>Linux:</b> vm_file and mapping_map_writable (v6.12), as a lease.</para>
/// <para><b>Locking:</b> safe from any thread; disposing it twice does nothing.</para>
/// </remarks>
internal sealed class FileMapping : IDisposable
{
    private readonly MemoryFile file;
    private int isDisposed; // atomic

    internal FileMapping(MemoryFile file, AreaTraits traits, IFileWatcher watcher)
    {
        this.file = file;
        Traits = traits;
        Watcher = watcher;
    }

    /// <summary>What was asked for, with what the file's seals forbid.</summary>
    internal AreaTraits Traits { get; }

    /// <summary>Who is told when pages go.</summary>
    internal IFileWatcher Watcher { get; }

    /// <summary>Whether it may ever write to the file's own pages. <b>Linux:</b> vma_is_shared_maywrite.</summary>
    internal bool MayWrite => Traits.IsShared && (Traits.Forbidden & AreaAccess.Write) == AreaAccess.None;

    /// <summary>Whether it is for the same file and right to write as another one.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether one of the two is enough.</returns>
    internal bool IsLike(FileMapping other) => file == other.file && MayWrite == other.MayWrite;

    /// <summary>Whether it is what an area needs.</summary>
    /// <param name="traits">The area's traits.</param>
    /// <returns>Whether it is.</returns>
    internal bool Serves(AreaTraits traits) => traits.Backing == file
        && (traits.IsShared && (traits.Forbidden & AreaAccess.Write) == AreaAccess.None) == MayWrite;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) == 0)
        {
            file.EndMapping(this);
        }
    }
}
