namespace Mm.Hmm.Tests.Mirrors;

/// <summary>Two processes as the reference knows them. Changed in place; a step works on a copy.</summary>
internal sealed class ReferenceWorld
{
    internal ReferenceProcess Parent { get; private init; } = new();

    internal ReferenceProcess? Child { get; set; }

    internal ReferenceProcess? Of(bool isChild) => isChild ? Child : Parent;

    internal ReferenceWorld Clone()
    {
        var copies = new Dictionary<ReferenceCell, ReferenceCell>(ReferenceEqualityComparer.Instance);
        return new ReferenceWorld { Parent = Parent.Clone(CopyOf), Child = Child?.Clone(CopyOf) };

        ReferenceCell CopyOf(ReferenceCell cell)
        {
            if (!copies.TryGetValue(cell, out ReferenceCell? copy))
            {
                copy = new ReferenceCell(cell.Words);
                copies.Add(cell, copy);
            }

            return copy;
        }
    }
}
