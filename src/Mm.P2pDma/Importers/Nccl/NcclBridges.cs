using Mm.P2pDma.Importers.Reading;
using Mm.P2pDma.Topologies;

namespace Mm.P2pDma.Importers.Nccl;

/// <summary>Tells a bridge that a file continues from an address that it uses twice.</summary>
/// <remarks>
/// Some files write a switch once for each of its ports: the same address, parent and facts, each time with other
/// functions in it. That is one bridge. An endpoint that stands twice, or a bridge whose facts differ, is still an error:
/// nobody can say which of the two is right.
/// <para><b>Locking:</b> the caller's; one import, one of these.</para>
/// </remarks>
/// <param name="log">Where notes go.</param>
internal sealed class NcclBridges(ImportLog log)
{
    private readonly Dictionary<PciPlace, (PciFunction Facts, int Line, bool IsNoted)> seen = [];

    /// <summary>Whether this bridge stood before with the same facts; remembers it where it did not.</summary>
    /// <param name="function">The function.</param>
    /// <param name="position">Where it stands.</param>
    /// <returns>Whether its functions belong to the one that stood first.</returns>
    internal bool IsContinued(PciFunction function, ImportPosition position)
    {
        // A bridge by class, not by what it holds: an address twice of unknown class may as well be two devices.
        if (function.Class is not { IsPciBridge: true })
        {
            return false;
        }

        if (!seen.TryGetValue(function.Place, out (PciFunction Facts, int Line, bool IsNoted) first))
        {
            seen.Add(function.Place, (function, position.Line, false));
            return false;
        }

        if (!IsSame(function, first.Facts))
        {
            return false;
        }

        if (!first.IsNoted)
        {
            seen[function.Place] = first with { IsNoted = true };
            log.Note(position, $"the bridge {function.Place} of line {first.Line} is continued here: it is read as one");
        }

        return true;
    }

    // Lists are compared by their contents, which a record does not do by itself.
    private static bool IsSame(PciFunction one, PciFunction other) =>
        one.OsDevices.SequenceEqual(other.OsDevices) && one with { OsDevices = other.OsDevices } == other;
}
