using Mm.Core;
using Mm.Core.Frames;
using Mm.Devices.Nics.PagePools;

namespace Mm.Devices.Tests.Nics.PagePools;

internal sealed class PagePoolProperties
{
    /// <summary>Whatever is taken, cut, shared and given back in whatever context, and whenever the pool is destroyed: no page is lost, none twice.</summary>
    [FsCheck.NUnit.Property(MaxTest = 150)]
    public void Pool_UnderAnyProgram_LosesNothing(byte[] program, byte destroyAfter)
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(rig.Mapped with { RingSize = 4 });
        var leases = new List<PoolLease>();
        var others = new List<PageRef>();
        for (int i = 0; i < program.Length; i++)
        {
            if (i == destroyAfter)
            {
                pool.Dispose();
                Assert.That(rig.Device.LiveMappings, Is.Zero);
            }

            Step(rig, pool, program[i], leases, others);
            pool.Validate();
            int pages = leases.Select(lease => PoolRig.PageOf(lease).Page).Distinct().Count();
            Assert.That(pool.InFlight, Is.AtLeast(pages));
        }

        PagePool.PutMany([.. leases]);
        others.ForEach(other => other.Dispose());
    }

    /// <summary>Two leases that live never name the same byte.</summary>
    [FsCheck.NUnit.Property(MaxTest = 100)]
    public void Fragments_ThatLive_ShareNoByte(ushort[] sizes)
    {
        using var rig = new PoolRig();
        PagePool pool = rig.Create(new PagePoolOptions { Order = 1 });
        var leases = new List<PoolLease>();
        foreach (ushort size in sizes)
        {
            pool.TryAllocateFragment(new ByteCount((size % 8192UL) + 1), out PoolLease lease).ThrowIfError();
            PhysRange here = RangeOf(lease);
            Assert.That(leases.Exists(other => RangeOf(other).Overlaps(here)), Is.False);
            leases.Add(lease);
            if (size % 3 == 0)
            {
                leases[0].Dispose();
                leases.RemoveAt(0);
            }
        }

        PagePool.PutMany([.. leases]);
    }

    private static PhysRange RangeOf(PoolLease lease) =>
        new(PoolRig.PageOf(lease).Range.Start.AddChecked(lease.Offset), lease.Length);

    private static void Step(PoolRig rig, PagePool pool, byte what, List<PoolLease> leases, List<PageRef> others)
    {
        bool isNapi = what % 2 == 0 || !pool.IsDestroyed;
        NapiContext.Scope napi = isNapi ? rig.Napi.Enter() : default;
        switch (what % 7)
        {
            case < 3 when !pool.IsDestroyed:
                leases.Add(PoolRig.Take(pool));
                break;
            case 3 when !pool.IsDestroyed:
                pool.TryAllocateFragment(new ByteCount(1000UL + what), out PoolLease part).ThrowIfError();
                leases.Add(part);
                break;
            case 4 when leases.Count > 0:
                PoolRig.PageOf(leases[0]).TryAddReference(out PageRef other).ThrowIfError();
                others.Add(other);
                break;
            case > 4 when leases.Count > 0:
                PoolLease given = leases[what % leases.Count];
                leases.RemoveAt(what % leases.Count);
                if (what % 7 == 5)
                {
                    napi.Dispose();
                    napi = default;
                }

                given.Dispose();
                break;
            default:
                break;
        }

        napi.Dispose();
    }
}
