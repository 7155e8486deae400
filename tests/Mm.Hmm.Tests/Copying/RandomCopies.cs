using Mm.Core;
using Mm.Hmm.Copying;

namespace Mm.Hmm.Tests.Copying;

/// <summary>A random list of copies over a rig's pages, and what every page must hold afterwards by a naive reckoning.</summary>
internal sealed class RandomCopies
{
    private const int Blocks = 4; // of 2 MiB, on each side

    private readonly CopyRig rig;
    private readonly Dictionary<Pfn, byte[]> expected = [];

    public RandomCopies(CopyRig rig, uint seed, bool isCpu)
    {
        this.rig = rig;
        var random = new MachineRandom(seed);
        List<Pfn> pages = [.. Blocked(isCpu ? rig.Ram : rig.Private), .. Blocked(rig.Ram).Select(page => page.AddChecked(new PageCount(Blocks * 512)))];
        Shuffle(pages, random);
        foreach (Pfn page in pages)
        {
            rig.Fill(page, random, PageSize.Large);
        }

        for (int block = 0; block + 1 < pages.Count; block += 2)
        {
            AddBlock(pages[block], pages[block + 1], random);
        }

        Shuffle(List, random);
        foreach (PageCopy copy in List)
        {
            expected[copy.Destination] = copy.IsClear ? new byte[copy.Size.Bytes.Value] : rig.Read(copy.Source, copy.Size);
        }
    }

    public List<PageCopy> List { get; } = [];

    public bool Arrived(PageCopy copy) => rig.Read(copy.Destination, copy.Size).AsSpan().SequenceEqual(expected[copy.Destination]);

    private static IEnumerable<Pfn> Blocked(Func<ulong, Pfn> page) =>
        Enumerable.Range(0, Blocks).Select(block => page((ulong)block * 512));

    private static void Shuffle<T>(List<T> items, MachineRandom random)
    {
        for (int index = items.Count - 1; index > 0; index--)
        {
            int other = (int)random.NextBelow((ulong)index + 1);
            (items[index], items[other]) = (items[other], items[index]);
        }
    }

    private void AddBlock(Pfn from, Pfn to, MachineRandom random)
    {
        if (random.NextBelow(4) == 0)
        {
            List.Add(random.NextBelow(3) == 0 ? PageCopy.Clear(to, PageSize.Large) : PageCopy.Of(from, to, PageSize.Large));
            return;
        }

        for (ulong page = 0; page < 16; page++)
        {
            var at = new PageCount(random.NextBelow(32) + (page * 32));
            Pfn source = from.AddChecked(new PageCount(random.NextBelow(512)));
            List.Add(random.NextBelow(4) == 0 ? PageCopy.Clear(to.AddChecked(at)) : PageCopy.Of(source, to.AddChecked(at)));
        }
    }
}
