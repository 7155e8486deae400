using System.Globalization;
using System.Text;

namespace Mm.Testing.Machines;

/// <summary>A program of a model-based test, as generated, shrunk and printed.</summary>
/// <remarks>Immutable.</remarks>
/// <typeparam name="TActual">The real thing.</typeparam>
/// <typeparam name="TModel">The model.</typeparam>
public sealed class MachineProgram<TActual, TModel>
{
    private readonly MachineOperation<TActual, TModel>[] operations;

    /// <summary>Makes a program.</summary>
    /// <param name="operations">The operations, first to last.</param>
    public MachineProgram(IEnumerable<MachineOperation<TActual, TModel>> operations) => this.operations = [.. operations];

    /// <summary>The operations, first to last.</summary>
    public IReadOnlyList<MachineOperation<TActual, TModel>> Operations => operations;

    /// <summary>Runs the program on a fresh real thing and a fresh model.</summary>
    /// <param name="machine">The machine that makes and judges them.</param>
    /// <exception cref="MachineFailedException">The two differ, or an operation threw.</exception>
    public void Run(ModelMachine<TActual, TModel> machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        TModel model = machine.StartModel();
        TActual actual = machine.StartActual();
        int step = 0;
        try
        {
            machine.CheckInvariants(actual, model);
            foreach (MachineOperation<TActual, TModel> operation in operations)
            {
                step++;
                operation.Check(actual, model);
                model = operation.Advance(model);
                machine.CheckInvariants(actual, model);
            }

            step++;
            machine.CheckAtEnd(actual, model);
        }
#pragma warning disable CA1031 // An assertion of any library may be what fails.
        catch (Exception thrown)
#pragma warning restore CA1031
        {
            throw new MachineFailedException(Describe(step, thrown), thrown);
        }
        finally
        {
            (actual as IDisposable)?.Dispose();
        }
    }

    /// <summary>Smaller programs: with a half, a quarter … or one of the operations left out, then with one of them simpler.</summary>
    /// <param name="machine">The machine whose model says what may still run.</param>
    /// <returns>The candidates; operations that are no longer allowed are left out of them.</returns>
    public IEnumerable<MachineProgram<TActual, TModel>> Shrink(ModelMachine<TActual, TModel> machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        for (int chunk = operations.Length; chunk > 0; chunk /= 2)
        {
            for (int at = 0; at + chunk <= operations.Length; at += chunk)
            {
                yield return Legal(machine, operations.Where((_, index) => index < at || index >= at + chunk));
            }
        }

        for (int at = 0; at < operations.Length; at++)
        {
            foreach (MachineOperation<TActual, TModel> simpler in operations[at].Shrink())
            {
                int place = at;
                yield return Legal(machine, operations.Select((old, index) => index == place ? simpler : old));
            }
        }
    }

    /// <summary>The operations, one on a line, with their numbers.</summary>
    /// <returns>The text.</returns>
    public override string ToString() => Listing(failed: 0);

    private static MachineProgram<TActual, TModel> Legal(
        ModelMachine<TActual, TModel> machine,
        IEnumerable<MachineOperation<TActual, TModel>> candidates)
    {
        TModel model = machine.StartModel();
        var kept = new List<MachineOperation<TActual, TModel>>();
        foreach (MachineOperation<TActual, TModel> operation in candidates.Where(operation => operation.CanRun(model)))
        {
            kept.Add(operation);
            model = operation.Advance(model);
        }

        return new MachineProgram<TActual, TModel>(kept);
    }

    private string Describe(int step, Exception thrown)
    {
        string where = step == 0 ? "the start" : step > operations.Length ? "the end" : $"operation {step} of {operations.Length}";
        return $"{where} failed: {thrown.GetType().Name}: {thrown.Message}\n{Listing(step)}";
    }

    private string Listing(int failed)
    {
        var text = new StringBuilder("program:");
        for (int index = 0; index < operations.Length; index++)
        {
            string mark = index + 1 == failed ? ">" : " ";
            text.Append(CultureInfo.InvariantCulture, $"\n{mark}{index + 1,3}. {operations[index]}");
        }

        return text.ToString();
    }
}
