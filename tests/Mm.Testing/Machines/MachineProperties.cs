using System.Collections.Immutable;
using FsCheck;
using FsCheck.Fluent;

namespace Mm.Testing.Machines;

/// <summary>Turns machines into FsCheck properties.</summary>
public static class MachineProperties
{
    /// <summary>The property that every program of the machine holds.</summary>
    /// <typeparam name="TActual">The real thing.</typeparam>
    /// <typeparam name="TModel">The model.</typeparam>
    /// <param name="machine">The machine.</param>
    /// <returns>The property, for <c>[Property]</c> or <c>Check</c>; FsCheck prints the shrunk program and the seed.</returns>
    public static Property ToProperty<TActual, TModel>(this ModelMachine<TActual, TModel> machine) =>
        Prop.ForAll(machine.ToArbitrary(), (MachineProgram<TActual, TModel> program) => program.Run(machine));

    /// <summary>Programs of the machine, and their shrinks.</summary>
    /// <typeparam name="TActual">The real thing.</typeparam>
    /// <typeparam name="TModel">The model.</typeparam>
    /// <param name="machine">The machine.</param>
    /// <returns>The arbitrary.</returns>
    public static Arbitrary<MachineProgram<TActual, TModel>> ToArbitrary<TActual, TModel>(
        this ModelMachine<TActual, TModel> machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Gen<MachineProgram<TActual, TModel>> programs =
            from size in Gen.Sized(size => Gen.Choose(0, Math.Min(Math.Max(size, 1), machine.MaxOperations)))
            from operations in Grow(machine, size, machine.StartModel(), [])
            select new MachineProgram<TActual, TModel>(operations);
        return Arb.From(programs, program => program.Shrink(machine));
    }

    private static Gen<ImmutableList<MachineOperation<TActual, TModel>>> Grow<TActual, TModel>(
        ModelMachine<TActual, TModel> machine,
        int left,
        TModel model,
        ImmutableList<MachineOperation<TActual, TModel>> sofar) =>
        left == 0
            ? Gen.Constant(sofar)
            : machine.Next(model).SelectMany(operation => operation.CanRun(model)
                ? Grow(machine, left - 1, operation.Advance(model), sofar.Add(operation))
                : Grow(machine, left - 1, model, sofar));
}
