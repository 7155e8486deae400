using System.Globalization;
using System.Text;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>What each operation does to the reference, and what it must answer.</summary>
internal static class ReferenceRules
{
    /// <summary>Does a step.</summary>
    /// <param name="step">The step, which may run.</param>
    /// <param name="world">Changed in place.</param>
    /// <returns>The answers that are right; of each, only what the reference knows.</returns>
    internal static string[] Apply(MirrorStep step, ReferenceWorld world)
    {
        ReferenceProcess process = world.Of(step.IsChild)!;
        switch (step.Name)
        {
            case "fork":
                world.Child = world.Parent.Fork();
                return ["ok"];
            case "exit":
                world.Child = null;
                return ["ok"];
            case "evict" or "snapshot" or "pagemap":
                return ["ok"];
            case "check-exclusive":
                return ["ok", "EPERM"];
            case "cpu-read" or "cpu-write":
                return OnCpu(step, process);
            case "pin" or "unpin" or "long-pin" or "long-unpin" or "long-pin-read":
                return OnPins(step, process);
            case "map" or "unmap" or "protect" or "dontneed" or "populate-write" or "move":
                return OnAreas(step, process);
            default:
                return OnDevice(step, process.Range(step.Region, step.First, step.Count));
        }
    }

    /// <summary>Whether an answer is one of those that are right: the same outcome, and everything that is known of it.</summary>
    internal static bool Allows(string[] right, string answer) => Array.Exists(right, known =>
    {
        string[] words = answer.Split(' ');
        string[] wanted = known.Split(' ');
        return wanted[0] == words[0] && wanted.All(words.Contains);
    });

    private static string[] OnCpu(MirrorStep step, ReferenceProcess process)
    {
        ReferencePage? page = process.Find(process.AddressOf(step.Region, step.First));
        if (step.Name == "cpu-read")
        {
            return page is { IsReadable: true } ? [$"ok data={page.Cell.Words}"] : ["SIGSEGV"];
        }

        if (page is not { IsWritable: true })
        {
            return ["SIGSEGV"];
        }

        page.Cell.Words = page.Cell.Words with { First = step.Value };
        return ["ok"];
    }

    private static string[] OnAreas(MirrorStep step, ReferenceProcess process)
    {
        switch (step.Name)
        {
            case "map":
                process.Map(step.Region, step.Count, step.Kind, step.Access);
                return ["ok"];
            case "move":
                process.Move(step.Region);
                return ["ok"];
            case "unmap":
                process.Unmap(step.Region, step.First, step.Count);
                return ["ok"];
            case "protect":
                return process.Protect(step.Region, step.First, step.Count, step.Access) ? ["ok"] : ["ENOMEM"];
            case "dontneed":
                return process.Drop(step.Region, step.First, step.Count) ? ["ok"] : ["ENOMEM"];
            default:
                ReferencePage?[] pages = process.Range(step.Region, step.First, step.Count);
                int refused = Array.FindIndex(pages, page => page is not { IsWritable: true });
                return refused < 0 ? ["ok"] : pages[refused] is null ? ["ENOMEM"] : ["EINVAL"];
        }
    }

    private static string[] OnPins(MirrorStep step, ReferenceProcess process)
    {
        switch (step.Name)
        {
            case "unpin":
                _ = process.Slots.Remove(step.Slot);
                return ["ok"];
            case "long-unpin":
                process.PinSet = [];
                return ["ok"];
            case "long-pin-read":
                return process.PinSet.Length == 0 ? ["EINVAL"] : [$"ok {Data(process.PinSet)}"];
            case "long-pin" when process.PinSet.Length != 0:
                return ["EINVAL"];
        }

        ReferencePage?[] pages = process.Range(step.Region, step.First, step.Count);
        bool toWrite = step.Name == "pin" || step.Manner.StartsWith("write", StringComparison.Ordinal);
        if (!Array.TrueForAll(pages, page => page is { IsReadable: true } && (page.IsWritable || !toWrite)))
        {
            return ["EFAULT"];
        }

        ReferenceCell[] cells = [.. pages.Select(page => page!.Cell)];
        if (step.Name == "pin")
        {
            process.Slots[step.Slot] = cells;
        }
        else
        {
            process.PinSet = cells;
        }

        return ["ok"];
    }

    private static string[] OnDevice(MirrorStep step, ReferencePage?[] pages)
    {
        string count = step.Count.ToString(CultureInfo.InvariantCulture);
        bool allReadable = Array.TrueForAll(pages, page => page is { IsReadable: true });
        string data = allReadable ? Data(pages.Select(page => page!.Cell)) : "";
        switch (step.Name)
        {
            case "device-read":
                return allReadable ? [$"ok cpages={count} {data}"] : ["EFAULT"];
            case "device-write":
                int refused = Array.FindIndex(pages, page => page is not { IsWritable: true });
                for (int index = 0; refused < 0 && index < pages.Length; index++)
                {
                    pages[index]!.Cell.Words = ReferenceWords.All(step.Value + (ulong)index);
                }

                return refused < 0 ? [$"ok cpages={count}"] : pages[refused] is { IsReadable: true } ? ["EPERM"] : ["EFAULT"];
            case "migrate-to-device":
                return allReadable ? [$"ok cpages={count} {data}", "ENOENT"] : ["EINVAL"];
            case "migrate-to-system":
                return allReadable ? ["ok"] : ["EINVAL"];
            default: // make-exclusive: private memory that may be written
                bool isAllowed = Array.TrueForAll(pages, page => page is { IsWritable: true, IsPrivate: true });
                return isAllowed ? [$"ok cpages={count} {data}"] : ["EBUSY"];
        }
    }

    internal static string Data(IEnumerable<ReferenceCell> cells)
    {
        var text = new StringBuilder("data=");
        string[] pages = [.. cells.Select(cell => cell.Words.ToString())];
        for (int at = 0; at < pages.Length;)
        {
            int run = pages.Skip(at).TakeWhile(page => page == pages[at]).Count();
            _ = text.Append(at == 0 ? "" : ",").Append(pages[at]).Append(run == 1 ? "" : $"*{run}");
            at += run;
        }

        return text.ToString();
    }
}
