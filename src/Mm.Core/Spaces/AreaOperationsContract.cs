namespace Mm.Core.Spaces;

/// <summary>What every <see cref="IAreaOperations"/> promises, as code: for the tests of whoever writes one.</summary>
/// <remarks>
/// A broken promise is a mistake of the owner's author, hence an <see cref="ArgumentException"/>.
/// <para><b>Linux:</b> what a fault handler must never do, as CVE-2024-46852 showed (v6.12).</para>
/// <para><b>Locking:</b> stateless.</para>
/// </remarks>
public static class AreaOperationsContract
{
    /// <summary>Holds an owner to its promises: all pages are there, none behind them is, taken away they are gone, and the last
    /// unmapping lets go.</summary>
    /// <param name="space">A space to map into.</param>
    /// <param name="backing">The owner's backing; nobody takes its memory away meanwhile.</param>
    /// <param name="size">How many pages can be mapped, from the first on; not zero.</param>
    /// <exception cref="ArgumentException">A promise is broken.</exception>
    public static void Require(AddressSpace space, AreaBacking backing, PageCount size)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(backing);
        int before = backing.SpaceCount;
        VirtRange range = Map(space, backing, size);
        for (ulong page = 0; page < size.Value; page++)
        {
            Require(Touch(space, range, page) == FaultResult.Done, $"page {page} of {size} cannot be read");
        }

        backing.Unmap();
        FaultResult again = Touch(space, range, 0);
        Require(again is FaultResult.Done or FaultResult.BusError, $"taken away, page 0 is {again}");
        space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Require(backing.SpaceCount == before, "a space that maps nothing of it any more is listed still");
        RequireEnd(space, backing, size);
    }

    // A mapping that nobody has checked against the size, as one that has grown: the fault handler is all that stands there.
    private static void RequireEnd(AddressSpace space, AreaBacking backing, PageCount size)
    {
        var alone = new AreaBacking(backing.Kind, new FaultsAlone(backing.Operations));
        VirtRange range = Map(space, alone, size.AddChecked(PageCount.One));
        FaultResult behind = Touch(space, range, size.Value);
        space.TryUnmap(range.Start, range.Length).ThrowIfError();
        Require(behind == FaultResult.BusError, $"page {size.Value} is behind the end, and a fault there is {behind}");
    }

    private static VirtRange Map(AddressSpace space, AreaBacking backing, PageCount size)
    {
        var request = new AreaRequest(size.ToBytes(), backing.Describe(AreaAccess.ReadWrite));
        Errno errno = space.TryMap(request, out VirtRange range);
        Require(errno.IsOk, $"{size} cannot be mapped: {errno}");
        return range;
    }

    private static FaultResult Touch(AddressSpace space, VirtRange range, ulong page)
    {
        Span<byte> one = stackalloc byte[1];
        return space.Read(range.Start.AddChecked(new PageCount(page).ToBytes()), one);
    }

    private static void Require(bool holds, string promise)
    {
        if (!holds)
        {
            throw new ArgumentException($"the owner of an area breaks its contract: {promise}");
        }
    }

    private sealed class FaultsAlone(IAreaOperations operations) : IAreaOperations
    {
        public FaultResult Fault(AreaFilling filling, AreaFault fault) => operations.Fault(filling, fault);
    }
}
