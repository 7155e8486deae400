using Microsoft.Extensions.ObjectPool;
using Mm.Core;
using Mm.Core.Spaces;

namespace Mm.Hmm.Migration;

/// <summary>Where a driver's migrations come from and go back to, so that a page that moves allocates nothing.</summary>
/// <remarks>
/// Owns the migrations that wait for use. One that it gave is disposed once, and not looked at afterwards.
/// <para><b>Linux:</b> none; struct migrate_vma lies on the stack there, and its arrays are the driver's.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class MigrationPool
{
    private readonly ObjectPool<AreaMigration> ofAreas;
    private readonly ObjectPool<FrameMigration> ofFrames;

    /// <summary>An empty pool.</summary>
    public MigrationPool()
    {
        ofAreas = new DefaultObjectPool<AreaMigration>(new Policy<AreaMigration>(() => new AreaMigration(this)));
        ofFrames = new DefaultObjectPool<FrameMigration>(new Policy<FrameMigration>(() => new FrameMigration(this)));
    }

    /// <summary>Sets a migration of an area's pages up.</summary>
    /// <param name="space">The space.</param>
    /// <param name="request">Which pages.</param>
    /// <param name="migration">The migration, which the caller disposes once; null when refused.</param>
    /// <returns>As <see cref="AreaMigration.TrySetUp"/>.</returns>
    public Errno TrySetUp(AddressSpace space, MigrationRequest request, out AreaMigration? migration)
    {
        ArgumentNullException.ThrowIfNull(space);
        AreaMigration rented = ofAreas.Get();
        Errno errno = rented.TryBegin(space, request);
        migration = errno.IsOk ? rented : null;
        if (!errno.IsOk)
        {
            Return(rented);
        }

        return errno;
    }

    /// <summary>Sets a migration of a device's frames up.</summary>
    /// <param name="spaces">The machine's spaces.</param>
    /// <param name="pages">The frames.</param>
    /// <returns>As <see cref="FrameMigration.SetUp"/>; the caller disposes it once.</returns>
    public FrameMigration SetUp(AddressSpaces spaces, ReadOnlySpan<Pfn> pages)
    {
        ArgumentNullException.ThrowIfNull(spaces);
        FrameMigration rented = ofFrames.Get();
        rented.Begin(spaces, pages);
        return rented;
    }

    /// <summary>A migration is finished.</summary>
    /// <param name="migration">The migration.</param>
    internal void Return(AreaMigration migration) => ofAreas.Return(migration);

    /// <summary>A migration is finished.</summary>
    /// <param name="migration">The migration.</param>
    internal void Return(FrameMigration migration) => ofFrames.Return(migration);

    private sealed class Policy<T>(Func<T> create) : PooledObjectPolicy<T>
        where T : class
    {
        public override T Create() => create();

        public override bool Return(T obj) => true; // a migration finishes itself before it comes here
    }
}
