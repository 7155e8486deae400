using FsCheck;

namespace Mm.Testing.Machines;

/// <summary>A model-based test: random programs run on the real thing and on a model of it, which must agree after each operation.</summary>
/// <remarks>
/// Derive, then hand <see cref="MachineProperties.ToProperty"/> to FsCheck. A failing program is cut down to the
/// operations that matter and printed one on a line.
/// <para>Built on the generators and properties of FsCheck alone: its FsCheck.Experimental.Machine does the like, but
/// may change with any release, stores models (which forbids mutable ones), and goes on after the first difference.</para>
/// <para><b>Locking:</b> one thread at a time.</para>
/// </remarks>
/// <typeparam name="TActual">The real thing; disposed after each program if it is disposable.</typeparam>
/// <typeparam name="TModel">The model: small, obviously right. May be mutable.</typeparam>
public abstract class ModelMachine<TActual, TModel>
{
    /// <summary>How many operations a program has at most.</summary>
    public virtual int MaxOperations => 100;

    /// <summary>The real thing, fresh.</summary>
    /// <returns>The real thing.</returns>
    public abstract TActual StartActual();

    /// <summary>The model, fresh.</summary>
    /// <returns>The model.</returns>
    public abstract TModel StartModel();

    /// <summary>What may come next; an operation that <see cref="MachineOperation{TActual, TModel}.CanRun"/> refuses is passed over.</summary>
    /// <param name="model">The model so far.</param>
    /// <returns>The generator of the next operation.</returns>
    public abstract Gen<MachineOperation<TActual, TModel>> Next(TModel model);

    /// <summary>What must hold after each operation; throws when it does not. Nothing by default.</summary>
    /// <param name="actual">The real thing.</param>
    /// <param name="model">The model.</param>
    public virtual void CheckInvariants(TActual actual, TModel model)
    {
    }

    /// <summary>Runs after the last operation of a program that held, before the real thing is disposed: what must be true at rest.</summary>
    /// <param name="actual">The real thing.</param>
    /// <param name="model">The model.</param>
    public virtual void CheckAtEnd(TActual actual, TModel model)
    {
    }
}
