namespace Mm.Hmm.Copying;

/// <summary>Whose a <see cref="CopyJob"/> is at the moment.</summary>
/// <remarks><b>Linux:</b> none; a driver's job has its driver's states.</remarks>
public enum CopyJobState
{
    /// <summary>In the pool: nobody's.</summary>
    Free = 0,

    /// <summary>Its renter's, who adds copies.</summary>
    Filling = 1,

    /// <summary>An engine's.</summary>
    InFlight = 2,

    /// <summary>An engine's, whose callbacks run: what became of each page can be read.</summary>
    Signaling = 3,

    /// <summary>Its renter's again, who reads what became of each page and gives it back.</summary>
    Signaled = 4,
}
