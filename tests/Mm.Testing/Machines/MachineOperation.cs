namespace Mm.Testing.Machines;

/// <summary>One operation of a model-based test: what it does to the model, and what it must do to the real thing.</summary>
/// <remarks>Override <see cref="object.ToString"/> so that a failing program reads as what a person would have typed.</remarks>
/// <typeparam name="TActual">The real thing.</typeparam>
/// <typeparam name="TModel">The model: small, obviously right.</typeparam>
public abstract class MachineOperation<TActual, TModel>
{
    /// <summary>Makes an operation from its parts.</summary>
    /// <param name="text">How the failing program prints it.</param>
    /// <param name="check">Performs it on the real thing, given the model before, and throws when the two differ.</param>
    /// <param name="advance">The model after.</param>
    /// <param name="canRun">Whether the model allows it; always when null.</param>
    /// <returns>The operation.</returns>
    public static MachineOperation<TActual, TModel> Of(
        string text,
        Action<TActual, TModel> check,
        Func<TModel, TModel> advance,
        Func<TModel, bool>? canRun = null) =>
        new DelegateOperation(text, check, advance, canRun);

    /// <summary>Whether the operation is allowed now; shrinking drops operations that no longer are.</summary>
    /// <param name="model">The model before.</param>
    /// <returns>Whether it may run.</returns>
    public virtual bool CanRun(TModel model) => true;

    /// <summary>Performs the operation on the real thing and compares with what the model says; throws on a difference.</summary>
    /// <param name="actual">The real thing.</param>
    /// <param name="model">The model before.</param>
    public abstract void Check(TActual actual, TModel model);

    /// <summary>The model after the operation: a new one, or the same one changed.</summary>
    /// <param name="model">The model before.</param>
    /// <returns>The model after.</returns>
    public abstract TModel Advance(TModel model);

    /// <summary>Simpler operations of the same kind, simplest first; none by default.</summary>
    /// <returns>The candidates.</returns>
    public virtual IEnumerable<MachineOperation<TActual, TModel>> Shrink() => [];

    private sealed class DelegateOperation(
        string text,
        Action<TActual, TModel> check,
        Func<TModel, TModel> advance,
        Func<TModel, bool>? canRun) : MachineOperation<TActual, TModel>
    {
        public override bool CanRun(TModel model) => canRun is null || canRun(model);

        public override void Check(TActual actual, TModel model) => check(actual, model);

        public override TModel Advance(TModel model) => advance(model);

        public override string ToString() => text;
    }
}
