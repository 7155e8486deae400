namespace Mm.Core.Frames;

/// <summary>One step of a <see cref="PageCountWord"/>, as a value that the CAS loop can retry.</summary>
/// <remarks>Implemented by small structs, so that the loop is compiled for each without an indirect call.</remarks>
internal interface IPageTransition
{
    /// <summary>Computes the next word.</summary>
    /// <param name="current">The word as it is.</param>
    /// <param name="next">The word as it should be; <paramref name="current"/> when refused.</param>
    /// <returns>Whether the step is legal.</returns>
    bool TryApply(PageCountWord current, out PageCountWord next);
}
