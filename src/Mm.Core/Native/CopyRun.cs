namespace Mm.Core.Native;

/// <summary>Copies a list of pages one after the other, fetching each next page while it copies the one before.</summary>
/// <remarks>
/// For whoever knows its list: <c>using var run = CopyRun.Start(); run.Copy(page, to, nextPage); …</c>. The copied bytes
/// are visible to other threads once the run is disposed.
/// <para><b>Linux:</b> the copy loop of migrate_device and of DMA engines' batches (v6.12), as an idea.</para>
/// <para><b>Locking:</b> belongs to one thread.</para>
/// <para><c>default</c> is a run like any other.</para>
/// </remarks>
public readonly ref struct CopyRun : IDisposable
{
    /// <summary>Starts a run.</summary>
    /// <returns>The run; dispose it to make the bytes visible.</returns>
    public static CopyRun Start() => default;

    /// <summary>Starts a run and fetches its first source ahead.</summary>
    /// <param name="first">What will be copied first.</param>
    /// <returns>The run; dispose it to make the bytes visible.</returns>
    public static CopyRun Start(ReadOnlySpan<byte> first)
    {
        ByteCopy.Prefetch(first);
        return default;
    }

    /// <summary>Copies one block past the caches.</summary>
    /// <param name="source">What to copy.</param>
    /// <param name="destination">Where to; as long as the source, sharing no byte with it.</param>
    /// <param name="next">What the next call will copy; may be empty.</param>
    /// <exception cref="ArgumentException">The lengths differ, or the spans overlap.</exception>
    public void Copy(ReadOnlySpan<byte> source, Span<byte> destination, ReadOnlySpan<byte> next) =>
        ByteCopy.NonTemporalUnfenced(Vectors.Level, source, destination, next);

    /// <summary>Makes the copied bytes visible to other threads.</summary>
    public void Dispose() => ByteCopy.Fence();
}
