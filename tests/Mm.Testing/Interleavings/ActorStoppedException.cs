namespace Mm.Testing.Interleavings;

/// <summary>Unwinds an actor whose schedule is over: thrown out of its yield point; code under test lets it through.</summary>
public sealed class ActorStoppedException() : Exception("the schedule ended before this actor did");
