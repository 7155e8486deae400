namespace Mm.Hmm.Copying;

/// <summary>Who makes a <see cref="DeviceCopyEngine"/> work.</summary>
/// <remarks>Not Linux's: hardware works by itself.</remarks>
public enum CopyEngineDrive
{
    /// <summary>A thread of its own, as hardware does; the default.</summary>
    OwnThread = 0,

    /// <summary>Whoever calls <see cref="DeviceCopyEngine.Step"/>, and whoever waits for a fence: every run the same.</summary>
    Stepped = 1,
}
