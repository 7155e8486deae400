using Mm.Core;
using Mm.Devices.Rdma;

namespace Mm.Devices.Tests.Rdma;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RegionIndexTests : IDisposable
{
    private const ulong Step = 3 * 4096;

    private readonly RdmaRig rig = new();
    private readonly RegionCache cache;
    private readonly RegionIndex index = new();

    public RegionIndexTests() => cache = new RegionCache(rig.Near.Domain, RdmaEnd.All);

    /// <summary>Whatever is added and forgotten: what is found is what a scan of all regions finds.</summary>
    [FsCheck.NUnit.Property(MaxTest = 60)]
    public void Use_OfAnyRange_FindsWhatAScanFinds(ushort[] adds, byte[] forgets, ushort[] queries)
    {
        var all = new RegionIndex();
        var model = new List<CachedRegion>();
        foreach (ushort add in adds.Concat(adds.Select(static add => (ushort)(add * 7))))
        {
            VirtRange pages = Pages((ulong)add * 4096, 1 + (add % 3UL));
            bool overlaps = model.Exists(region => region.Pages.Overlaps(pages));
            Assert.That(all.Overlaps(pages), Is.EqualTo(overlaps));
            if (!overlaps)
            {
                model.Add(Add(all, pages));
            }
        }

        foreach (byte forget in forgets.Where(forget => forget < model.Count))
        {
            model[forget].Forget();
        }

        AssertFindsTheSame(all, model, queries);
        all.RemoveForgotten();
        model.RemoveAll(static region => region.IsForgotten);
        Assert.That(all.Regions.ToArray(), Is.EqualTo(model.OrderBy(static region => region.Pages.Start)));
        AssertFindsTheSame(all, model, queries);
    }

    [TestCase(1)]
    [TestCase(16)]
    [TestCase(17)]
    [TestCase(257)]
    [TestCase(5000)]
    public void Use_AmongMany_FindsEachAndNothingBetween(int count)
    {
        for (int place = 0; place < count; place++)
        {
            _ = Add(index, Pages((ulong)(place * 7919 % count) * Step, 2)); // in no order: 7919 is a prime above all counts
        }

        Assert.That(index.Count, Is.EqualTo(count));
        for (int place = 0; place < count; place++)
        {
            VirtRange pages = Pages((ulong)place * Step, 2);
            Assert.That(index.TryUse(pages)?.Pages, Is.EqualTo(pages));
            Assert.That(index.TryUse(Pages(((ulong)place * Step) + 4096, 1))?.Pages, Is.EqualTo(pages), "a part of it");
            Assert.That(index.TryUse(Pages(((ulong)place * Step) + 8192, 1)), Is.Null, "the page behind it");
        }
    }

    [Test]
    public void Use_OfAnAddressThatNobodyCanRegister_FindsNothing()
    {
        _ = Add(index, Pages(0, 2));
        Assert.That(index.TryUse(new VirtRange(new VirtAddr(ulong.MaxValue - 4096), new ByteCount(1))), Is.Null);
        Assert.That(index.TryUse(new VirtRange(new VirtAddr(long.MaxValue), new ByteCount(1))), Is.Null);
        Assert.That(index.TryUse(new VirtRange(new VirtAddr(1), new ByteCount(1))), Is.Null, "before the first");
    }

    public void Dispose()
    {
        cache.Dispose();
        rig.Dispose();
    }

    private static VirtRange Pages(ulong offset, ulong count) =>
        new(new VirtAddr(0x10000 + offset), new PageCount(count).ToBytes());

    private static void AssertFindsTheSame(RegionIndex all, List<CachedRegion> model, ushort[] queries)
    {
        foreach (ushort query in queries.Concat(model.Select(static region => (ushort)((region.Pages.Start.Value - 0x10000) / 4096))))
        {
            VirtRange wanted = Pages((ulong)query * 4096, 1 + (query % 2UL));
            CachedRegion? scanned = model.Find(region => !region.IsForgotten && region.Pages.Contains(wanted));
            Assert.That(all.TryUse(wanted), Is.SameAs(scanned));
        }
    }

    private CachedRegion Add(RegionIndex to, VirtRange pages)
    {
        var region = new CachedRegion(cache, pages);
        to.Add(region);
        return region;
    }
}
