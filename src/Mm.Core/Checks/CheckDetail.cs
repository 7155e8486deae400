using System.Runtime.CompilerServices;

namespace Mm.Core.Checks;

/// <summary>The text of a broken invariant, put together only when it is broken.</summary>
/// <remarks>
/// What the compiler makes of an interpolated string that is given to <see cref="Check.That(bool, ref CheckDetail, string)"/>:
/// while the condition holds, no hole of the string is computed.
/// <para><b>Linux:</b> the arguments of WARN, which are not evaluated while its condition is false (v6.12).</para>
/// <para><c>default</c> is no text. Not thread-safe: of one call.</para>
/// </remarks>
[InterpolatedStringHandler]
public ref struct CheckDetail
{
    private DefaultInterpolatedStringHandler text;
    private readonly bool isNeeded;

    /// <summary>Begins a text.</summary>
    /// <param name="literalLength">Characters that stand in the string.</param>
    /// <param name="formattedCount">Holes.</param>
    /// <param name="condition">What must hold.</param>
    /// <param name="isNeeded">Whether the rest is to be computed.</param>
    public CheckDetail(int literalLength, int formattedCount, bool condition, out bool isNeeded)
    {
        isNeeded = !condition;
        this.isNeeded = isNeeded;
        text = isNeeded ? new DefaultInterpolatedStringHandler(literalLength, formattedCount) : default;
    }

    /// <summary>Adds what stands in the string.</summary>
    /// <param name="value">The characters.</param>
    public void AppendLiteral(string value) => text.AppendLiteral(value);

    /// <summary>Adds a hole.</summary>
    /// <typeparam name="T">What is in it.</typeparam>
    /// <param name="value">The value.</param>
    /// <param name="format">How it is written, as <c>x</c>.</param>
    public void AppendFormatted<T>(T value, string? format = null) => text.AppendFormatted(value, format);

    /// <summary>The text, which is handed out once.</summary>
    /// <returns>The text, empty while the condition holds.</returns>
    public string ToStringAndClear() => isNeeded ? text.ToStringAndClear() : "";
}
