namespace Mm.Core.Tracing;

/// <summary>A named place that can report what happens there, with up to four numbers.</summary>
/// <remarks>
/// A room declares its points as static readonly fields. Names are Linux's where Linux has the event, as
/// <c>kmem:mm_page_alloc</c>; other places are <c>mm:</c> and a Linux-like name.
/// <para><b>Linux:</b> TRACE_EVENT (v6.12).</para>
/// <para>Immutable.</para>
/// </remarks>
public sealed class TracePoint
{
    /// <summary>The most numbers that an event carries.</summary>
    public const int MaxArguments = 4;

    /// <summary>Names a point.</summary>
    /// <param name="name">The name: system, colon, event.</param>
    /// <param name="arguments">What the numbers are called, at most four.</param>
    /// <exception cref="ArgumentException">The name is empty, or the arguments are too many.</exception>
    public TracePoint(string name, params IReadOnlyList<string> arguments)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.Count > MaxArguments)
        {
            throw new ArgumentException(
                $"arguments must be at most {MaxArguments}; {name} has {arguments.Count}", nameof(arguments));
        }

        Name = name;
        Arguments = [.. arguments];
    }

    /// <summary>The name, as <c>kmem:mm_page_alloc</c>.</summary>
    public string Name { get; }

    /// <summary>What the numbers are called, in order.</summary>
    public IReadOnlyList<string> Arguments { get; }

    /// <summary>The name.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Name;
}
