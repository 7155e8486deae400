using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Mm.Core.Checks;

/// <summary>Assertions of Mm's own invariants: a failure is a bug in Mm, never a refusal and never a caller's mistake.</summary>
/// <remarks>
/// Two strengths: <see cref="That(bool, string, string)"/> always runs; <see cref="Slow"/> runs when <see cref="Enabled"/> is set, as it is in
/// every test, in Release too. The switch is read once at start, so that the JIT drops the disabled branch.
/// <para><b>Linux:</b> BUG_ON and VM_BUG_ON (v6.12).</para>
/// </remarks>
public static class Check
{
    /// <summary>Whether the costly checks run: the runtime switch <c>Mm.Checks</c>, or the environment's <c>MM_CHECKS=1</c>.</summary>
    [FeatureSwitchDefinition("Mm.Checks")]
    public static bool Enabled { get; } =
        AppContext.TryGetSwitch("Mm.Checks", out bool enabled)
            ? enabled
            : Environment.GetEnvironmentVariable("MM_CHECKS") == "1";

    /// <summary>Asserts an invariant, in every build.</summary>
    /// <param name="condition">What must hold.</param>
    /// <param name="detail">The values involved and the number of the invariant.</param>
    /// <param name="expression">The text of the condition; the compiler fills it in.</param>
    /// <exception cref="MmBugException">It does not hold.</exception>
    [StackTraceHidden]
    public static void That(
        [DoesNotReturnIf(false)] bool condition,
        string detail = "",
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!condition)
        {
            Fail(detail, expression);
        }
    }

    /// <summary>Asserts an invariant, in every build, with a text that is put together only when it is broken.</summary>
    /// <param name="condition">What must hold.</param>
    /// <param name="detail">The values involved and the number of the invariant.</param>
    /// <param name="expression">The text of the condition; the compiler fills it in.</param>
    /// <exception cref="MmBugException">It does not hold.</exception>
    [StackTraceHidden]
    public static void That(
        [DoesNotReturnIf(false)] bool condition,
        [InterpolatedStringHandlerArgument(nameof(condition))] ref CheckDetail detail,
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (!condition)
        {
            Fail(detail.ToStringAndClear(), expression);
        }
    }

    /// <summary>Asserts an invariant when <see cref="Enabled"/>; the condition is computed only then if the caller asks first.</summary>
    /// <param name="condition">What must hold.</param>
    /// <param name="detail">The values involved and the number of the invariant.</param>
    /// <param name="expression">The text of the condition; the compiler fills it in.</param>
    /// <exception cref="MmBugException">It does not hold.</exception>
    [StackTraceHidden]
    public static void Slow(
        bool condition,
        string detail = "",
        [CallerArgumentExpression(nameof(condition))] string expression = "")
    {
        if (Enabled && !condition)
        {
            Fail(detail, expression);
        }
    }

    [DoesNotReturn]
    [StackTraceHidden]
    private static void Fail(string detail, string expression) =>
        throw new MmBugException($"invariant broken: {expression}{(detail.Length == 0 ? "" : $" ({detail})")}");
}
