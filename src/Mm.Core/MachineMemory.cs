using Mm.Core.Native;

namespace Mm.Core;

/// <summary>How one machine reserves memory outside the managed heap: the account and the builder's choices, together.</summary>
/// <remarks>
/// Rooms take this in their constructors, so that a machine's tables and bytes all stand in one ledger.
/// <para>Immutable but for the ledger's counts; safe from any thread.</para>
/// </remarks>
/// <param name="backing">Where memory comes from.</param>
/// <param name="hugePages">Whether to ask for huge pages behind bytes.</param>
internal sealed class MachineMemory(NativeBacking backing, bool hugePages)
{
    /// <summary>The account.</summary>
    internal NativeBytes Ledger { get; } = new();

    /// <summary>Reserves bytes, zeroed and touched on demand.</summary>
    /// <param name="length">How many.</param>
    /// <returns>The region; the caller disposes it.</returns>
    internal NativeRegion Reserve(ByteCount length) => new(Ledger, length, backing, hugePages);

    /// <summary>Reserves a table, zeroed and touched on demand.</summary>
    /// <typeparam name="T">The entry.</typeparam>
    /// <param name="capacity">How many entries.</param>
    /// <param name="hugePages">Whether to ask for huge pages: for tables that fill up, not for sparse ones.</param>
    /// <returns>The table; the caller disposes it.</returns>
    internal NativeTable<T> ReserveTable<T>(ulong capacity, bool hugePages = false)
        where T : unmanaged => new(Ledger, capacity, backing, hugePages);
}
