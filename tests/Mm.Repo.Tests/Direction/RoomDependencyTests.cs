using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Mm.Repo.Tests.Direction;

public sealed class RoomDependencyTests
{
    // Top to bottom: a room may use the rooms before it; rooms of one line, parted by '|', do not know each other. The words
    // in a project's root stand before all rooms.
    private static readonly Dictionary<string, string[]> Rooms = new(StringComparer.Ordinal)
    {
        ["Mm.Core"] = ["Checks", "Tracing", "Native", "Locking", "Frames", "Pagemaps", "PhysRanges", "Notifiers", "Policies", "Spaces", "Dma"],
        ["Mm.P2pDma"] =
        [
            "Topologies",
            "Importers",
            "Importers/Reading",
            "Importers/PciConfig",
            "Importers/Hwloc|Importers/Nccl|Importers/Lspci|Importers/Sysfs|Importers/MachineFiles",
            "Machines", "Bars", "Routing", "Providers", "Mapping", "Pools",
        ],
        ["Mm.Hmm"] = ["Faulting", "Copying", "Migration", "Exclusive", "Mirrors"],
        ["Mm.DmaBuf"] = ["Fences", "Reservations", "Buffers", "Attachments", "Exporters"],
        ["Mm.Devices"] =
        [
            "Iommufd", "Gpus/Vram", "Gpus/Objects", "Gpus/Svm", "Gpus", "Nics/PagePools", "Nics/Flows", "Nics/Queues", "Nics/Bindings",
            "Nics/Sockets", "Nics/ZeroCopy", "Nics", "Nvme", "Rdma", "Vfio", "Ledgers",
        ],
    };

    // What stands before the rooms inside its room, as their words do, and yet opens them all.
    private static readonly Dictionary<string, string> Fronts = new(StringComparer.Ordinal)
    {
        ["src/Mm.P2pDma/Importers/MachineImport.cs"] = "Importers",
    };

    // What composes the rooms: a room takes its parts in the constructor and never the whole.
    private static readonly string[] Composers = ["Machine", "MachineBuilder"];

    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    [TestCase("Mm.Devices")]
    public void Rooms_OnDisk_AreTheKnownOnes(string project)
    {
        Findings.AssertNone(UnknownRooms(project, SourceFile.Sources), "a new room has a place in the order: add it here and in docs/architecture.md");
    }

    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    [TestCase("Mm.Devices")]
    public void Architecture_NamesEachRoom(string project)
    {
        string page = Repository.Read("docs/architecture.md");
        IEnumerable<string> rooms = SourceFile.Sources
            .Where(file => file.Project == project && file.Room.Length > 0).Select(file => file.Room.Split('/')[^1]).Distinct();

        Assert.That(rooms.Where(room => !page.Contains(room, StringComparison.Ordinal)), Is.Empty);
    }

    [TestCase("Mm.Core")]
    [TestCase("Mm.P2pDma")]
    [TestCase("Mm.Hmm")]
    [TestCase("Mm.DmaBuf")]
    [TestCase("Mm.Devices")]
    public void Room_Uses_OnlyTheRoomsBeforeIt(string project)
    {
        Findings.AssertNone(LookingAhead(project, SourceModel.Of(project)), $"rooms of {project}, first to last: {string.Join(", ", Rooms[project])}");
    }

    [Test]
    public void Room_OfCore_NeverTakesTheMachine()
    {
        Findings.AssertNone(MachineTakers(SourceModel.Of("Mm.Core")), "a room takes the parts it needs, not a Machine");
    }

    internal static IEnumerable<string> UnknownRooms(string project, IEnumerable<SourceFile> files) => files
        .Where(file => file.Project == project && file.Room.Length > 0).Select(file => file.Room).Distinct()
        .Except(Rooms[project].SelectMany(line => line.Split('|')));

    internal static IEnumerable<string> LookingAhead(string project, SourceModel model) => model.Files
        .Where(file => file.Room.Length > 0)
        .SelectMany(file => UsedRooms(model, file).Select(use => (file, use)))
        .Where(pair => pair.use.Room != pair.file.Room && Rank(project, pair.use.Room) >= Rank(project, pair.file.Room))
        .Where(pair => !IsFrontOf(pair.file, pair.use.Room))
        .Select(pair => $"{pair.use.Place}: room {pair.file.Room} uses {pair.use.Name} of room {pair.use.Room}")
        .Distinct();

    internal static IEnumerable<string> MachineTakers(SourceModel model) => model.Files.Where(file => file.Room.Length > 0)
        .SelectMany(file => Used(model, file))
        .Where(use => use.Type.ContainingNamespace.ToDisplayString() == "Mm.Core" && Composers.Contains(use.Type.Name))
        .Select(use => $"{use.Place}: uses {use.Type.Name}");

    private static int Rank(string project, string room) =>
        Array.FindIndex(Rooms[project], line => line.Split('|').Contains(room, StringComparer.Ordinal));

    private static bool IsFrontOf(SourceFile file, string room) =>
        Fronts.TryGetValue(file.Path, out string? around) && room.StartsWith($"{around}/", StringComparison.Ordinal);

    private static IEnumerable<(string Room, string Name, string Place)> UsedRooms(SourceModel model, SourceFile file)
    {
        string root = model.Compilation.AssemblyName! + ".";
        return Used(model, file)
            .Select(use => (Space: use.Type.ContainingNamespace.ToDisplayString(), use.Type.Name, use.Place))
            .Where(use => use.Space.StartsWith(root, StringComparison.Ordinal))
            .Select(use => (use.Space[root.Length..].Replace('.', '/'), use.Name, use.Place));
    }

    // Names in documentation are not among the descendants: a doc may point forward.
    private static IEnumerable<(INamedTypeSymbol Type, string Place)> Used(SourceModel model, SourceFile file)
    {
        SemanticModel semantics = model.Semantics(file);
        foreach (SimpleNameSyntax name in file.Syntax.DescendantNodes().OfType<SimpleNameSyntax>())
        {
            ISymbol? symbol = semantics.GetSymbolInfo(name).Symbol;
            INamedTypeSymbol? type = symbol as INamedTypeSymbol ?? symbol?.ContainingType;
            if (type?.ContainingNamespace is not null
                && SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, model.Compilation.Assembly))
            {
                yield return (type, file.Place(name));
            }
        }
    }
}
