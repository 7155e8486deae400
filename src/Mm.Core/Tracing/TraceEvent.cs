using System.Text;

namespace Mm.Core.Tracing;

/// <summary>One thing that happened: when, where, and with which numbers.</summary>
/// <remarks>
/// Numbers have no type here; <see cref="TracePoint.Arguments"/> says what each one is.
/// <para><c>default</c> is no event: its point is null. Immutable.</para>
/// </remarks>
/// <param name="Point">Where it happened.</param>
/// <param name="TimeNs">The machine's time, in nanoseconds.</param>
/// <param name="A">The first number.</param>
/// <param name="B">The second number.</param>
/// <param name="C">The third number.</param>
/// <param name="D">The fourth number.</param>
public readonly record struct TraceEvent(TracePoint Point, ulong TimeNs, ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>One of the numbers.</summary>
    /// <param name="index">Which, as in <see cref="TracePoint.Arguments"/>.</param>
    /// <returns>The number.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="index"/> is not in [0, 4).</exception>
    public ulong Argument(int index) => index switch
    {
        0 => A,
        1 => B,
        2 => C,
        3 => D,
        _ => throw new ArgumentOutOfRangeException(nameof(index), index, "index must be in [0, 4)"),
    };

    /// <summary>As a line of trace_pipe: <c>0.000000012 kmem:mm_page_alloc pfn=0x100 order=0x0</c>.</summary>
    /// <returns>The text.</returns>
    public override string ToString()
    {
        if (Point is null)
        {
            return "no event";
        }

        var text = new StringBuilder();
        _ = text.Append($"{TimeNs / 1_000_000_000}.{TimeNs % 1_000_000_000:d9} {Point.Name}");
        for (int i = 0; i < Point.Arguments.Count; i++)
        {
            _ = text.Append($" {Point.Arguments[i]}=0x{Argument(i):x}");
        }

        return text.ToString();
    }
}
