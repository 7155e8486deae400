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
    private readonly ObjectPool<AreaMigration> migrations;

    /// <summary>An empty pool.</summary>
    public MigrationPool() => migrations = new DefaultObjectPool<AreaMigration>(new Policy(this));

    /// <summary>Sets a migration up.</summary>
    /// <param name="space">The space.</param>
    /// <param name="request">Which pages.</param>
    /// <param name="migration">The migration, which the caller disposes once; null when refused.</param>
    /// <returns>As <see cref="AreaMigration.TrySetUp"/>.</returns>
    public Errno TrySetUp(AddressSpace space, MigrationRequest request, out AreaMigration? migration)
    {
        ArgumentNullException.ThrowIfNull(space);
        AreaMigration rented = migrations.Get();
        Errno errno = rented.TryBegin(space, request);
        migration = errno.IsOk ? rented : null;
        if (!errno.IsOk)
        {
            Return(rented);
        }

        return errno;
    }

    /// <summary>A migration is finished.</summary>
    /// <param name="migration">The migration.</param>
    internal void Return(AreaMigration migration) => migrations.Return(migration);

    private sealed class Policy(MigrationPool pool) : PooledObjectPolicy<AreaMigration>
    {
        public override AreaMigration Create() => new(pool);

        public override bool Return(AreaMigration obj) => true; // a migration finishes itself before it comes here
    }
}
