namespace Mm.Cli.Tour;

/// <summary>One chapter of the tour: a name to ask for it, a title, and what it does.</summary>
/// <param name="Name">One word.</param>
/// <param name="Title">What it shows, in one line.</param>
/// <param name="Tell">Does the work on a fresh stage, and says what happens.</param>
internal sealed record TourChapter(string Name, string Title, Action<TourStage> Tell);
