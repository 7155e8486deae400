namespace Mm.Testing.Interleavings;

/// <summary>A thread that plays one actor of each schedule, and runs only while it holds the baton.</summary>
/// <remarks>
/// Kept from schedule to schedule, because starting a thread costs more than a schedule does.
/// <para><b>Locking:</b> the two semaphores are the baton: every field is written by whoever holds it, and the
/// semaphore's release and wait order the accesses.</para>
/// </remarks>
internal sealed class ActorThread : IDisposable
{
    private readonly SemaphoreSlim go = new(0);
    private readonly SemaphoreSlim back = new(0);
    private Action body = () => { };
    private Func<bool>? isReady;
    private bool isStopping;
    private bool isQuitting;

    internal ActorThread(int index)
    {
        // Background: an actor that never comes back must not keep the process.
        var thread = new Thread(Play) { IsBackground = true, Name = $"actor {index}" };
        thread.Start();
    }

    /// <summary>The actor's name in this schedule.</summary>
    internal string Name { get; private set; } = "";

    /// <summary>Where the actor stands.</summary>
    internal string Point { get; private set; } = ScheduleStep.Start;

    /// <summary>Whether the actor has ended.</summary>
    internal bool IsFinished { get; private set; } = true;

    /// <summary>The exception that left the actor, if one did.</summary>
    internal Exception? Thrown { get; private set; }

    /// <summary>Whether the actor may go on now.</summary>
    internal bool IsReady => !IsFinished && (isReady is null || isReady());

    /// <summary>Gives the thread its actor for the next schedule.</summary>
    internal void Take(string name, Action actorBody)
    {
        Name = name;
        body = actorBody;
        Point = ScheduleStep.Start;
        isReady = null;
        isStopping = false;
        Thrown = null;
        IsFinished = false;
    }

    /// <summary>Lets the actor run to its next point or its end.</summary>
    /// <exception cref="TimeoutException">The actor waits for something that the explorer does not see.</exception>
    internal void Step(TimeSpan patience)
    {
        go.Release();
        if (!back.Wait(patience))
        {
            throw new TimeoutException(
                $"actor {Name} did not come back from {Point} within {patience}: it waits for something that is no yield point");
        }
    }

    /// <summary>Ends the actor from the yield point at which it stands.</summary>
    internal void Stop(TimeSpan patience)
    {
        isStopping = true;
        if (!IsFinished)
        {
            Step(patience);
        }
    }

    /// <summary>Called by the actor: hands the baton back and waits to get it again.</summary>
    internal void Pause(string point, Func<bool>? condition)
    {
        if (!isStopping)
        {
            Point = point;
            isReady = condition;
            back.Release();
            go.Wait();
        }

        if (isStopping)
        {
            throw new ActorStoppedException();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        isQuitting = true;
        go.Release();
    }

    private void Play()
    {
        while (true)
        {
            go.Wait();
            if (isQuitting)
            {
                return;
            }

            PlayOnce();
            IsFinished = true;
            back.Release();
        }
    }

    private void PlayOnce()
    {
        if (isStopping)
        {
            return;
        }

        try
        {
            body();
        }
        catch (ActorStoppedException)
        {
            // The schedule is over for this actor.
        }
#pragma warning disable CA1031 // Whatever leaves an actor is what the schedule found.
        catch (Exception thrown)
#pragma warning restore CA1031
        {
            Thrown = thrown;
        }
    }
}
