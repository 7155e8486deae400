using FsCheck;
using FsCheck.Fluent;
using Mm.Core.Policies;

namespace Mm.Core.Tests.Policies;

/// <summary>Policies of a file's pages, against one word a page.</summary>
internal sealed class PolicyRangesProperties
{
    private const int Pages = 48;

    private static readonly NodeSet Usable = new(new NodeId(0), new NodeId(1), new NodeId(2));

    [FsCheck.NUnit.Property]
    public Property Ranges_AfterAnySettings_TellWhatAWordForEachPageTells((byte Start, byte Count, byte Policy)[] settings)
    {
        var ranges = new PolicyRanges();
        var words = new MemoryPolicy?[Pages * 2];
        foreach ((byte start, byte count, byte choice) in settings)
        {
            (int first, int length) = (start % Pages, count % Pages);
            MemoryPolicy? policy = PolicyOf(choice % 4);
            ranges.Set(new PageCount((ulong)first), new PageCount((ulong)length), policy);
            words.AsSpan(first, length).Fill(policy);
            ranges.Validate();
        }

        bool isSame = true;
        for (int page = 0; page < words.Length; page++)
        {
            isSame &= ranges.Find(new PageCount((ulong)page)) == words[page];
        }

        return (isSame && ranges.Count <= settings.Length * 2).ToProperty();
    }

    private static MemoryPolicy? PolicyOf(int choice)
    {
        NodeSet nodes = choice == 0 ? default : new NodeSet(new NodeId(choice - 1));
        MemoryPolicy.TryCreate(choice == 0 ? PolicyMode.Default : PolicyMode.Bind, nodes, Usable, out MemoryPolicy? policy).ThrowIfError();
        return policy;
    }
}
