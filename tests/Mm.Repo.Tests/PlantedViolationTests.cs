using Mm.Repo.Tests.Direction;
using Mm.Repo.Tests.Docs;
using Mm.Repo.Tests.Fence;
using Mm.Repo.Tests.Layout;
using Mm.Repo.Tests.PublicApi;

namespace Mm.Repo.Tests;

/// <summary>Each rule is shown a file that breaks it, and must bite; and the same file made right, and must not.</summary>
public sealed class PlantedViolationTests
{
    private const string Room = "src/Mm.Core/Dma/Planted.cs";
    private const string Behind = "src/Mm.Core/Native/Planted.Unsafe.cs";
    private const string Summary = "/// <summary>Planted.</summary>\n/// <remarks>Immutable.</remarks>\n";

    private static IEnumerable<TestCaseData> TextRules =>
    [
        Rule("unsafe outside the fence", Room, "unsafe class A { }", "class A { }", FenceTests.UnsafeOutside),
        Rule("fixed outside the fence", Room, "class A { void M() { fixed (int* p = x) { } } }", "class A { }", FenceTests.UnsafeOutside),
        Rule("substitute outside", Room, "class A { int M() => Unsafe.As<int>(1); }", "class A { }", FenceTests.SubstitutesOutside),
        Rule("substitute by using", Room, "using static System.Runtime.InteropServices.MemoryMarshal;", "using System;", FenceTests.SubstitutesOutside),
        Rule("import outside", Room, "class A { [DllImport(\"c\")] extern static int M(); }", "class A { }", FenceTests.SubstitutesOutside),
        Rule("banned symbols off", Room, "#pragma warning disable RS0" + "030", "#pragma warning disable CA1000", FenceTests.BannedSwitchesOutside),
        Rule("no safety argument", Behind, "class A { }", "// SAFETY: none needed\nclass A { }", FenceTests.FilesWithoutSafety),
        Rule(
            "statement without argument", Behind, "// SAFETY: elsewhere\nclass A { void M() { unsafe { } } }",
            "class A { void M() { /* no */ // SAFETY: here\n unsafe { } } }", FenceTests.UnarguedStatements),
        Rule("put off", Room, "// TO" + "DO: later", "// done", files => files.SelectMany(file => HygieneTests.PutOffs(file.Path, file.Text))),
        Rule("region", Room, "#reg" + "ion A\n#endreg" + "ion", "class A { }", HygieneTests.Regions),
        Rule(
            "path of one machine", Room, "// see /ho" + "me/me/notes", "// see ../shared", files => files.SelectMany(file => HygieneTests.MachinePaths(file.Path, file.Text))),
        Rule(
            "sleep", "tests/Mm.Core.Tests/ATests.cs", "Thread.Sl" + "eep(1);", "thread.Join();",
            files => files.SelectMany(file => HygieneTests.Sleeps(file.Path, file.Text))),
        Rule("wrong namespace", Room, "namespace Mm.Core;", "namespace Mm.Core.Dma;", PlaceTests.WrongNamespaces),
        Rule("public type elsewhere", Room, "public enum Other { }", "public enum Planted { }", PlaceTests.PublicTypesElsewhere),
        Rule("public delegate elsewhere", Room, "public delegate void Other();", "delegate void Other();", PlaceTests.PublicTypesElsewhere),
        Rule("type named as its namespace", Room, "class Dma { }", "class Planted { }", PlaceTests.TypesNamedAsTheirNamespace),
        Rule("folder named after nothing", "src/Mm.Core/Utils/A.cs", "class A { }", null, files => PlaceTests.InFolder(files, "Utils")),
        Rule("long file", Room, new string('\n', 501), new string('\n', 500), SizeTests.LongFiles),
        Rule("long method", Room, $"class A {{ void M() {{ {new string('\n', 70)} }} }}", "class A { void M() { } }", SizeTests.LongMethods),
        Rule(
            "long accessor", Room, $"class A {{ int P {{ get {{ {new string('\n', 70)} return 1; }} }} }}", "class A { int P => 1; }", SizeTests.LongMethods),
        Rule("wide line", Room, new string('a', 141), new string('a', 140), files => SizeTests.WideLines(files, SizeTests.HardColumns)),
        Rule(
            "test beside nothing", "tests/Mm.Core.Tests/Dma/NothingTests.cs", "class NothingTests { }", null,
            files => MirrorTests.Stray(files, [new SourceFile("src/Mm.Core/Dma/Something.cs", "")])),
        Rule(
            "test of no kind", "tests/Mm.Core.Tests/Dma/Something.cs", "class A { [Test] public void M() { } }", "class A { }",
            files => MirrorTests.Stray(files, [new SourceFile("src/Mm.Core/Dma/Something.cs", "")])),
        Rule(
            "type that no test names", "src/Mm.Core/Dma/PciDevice.cs", "namespace N; public class PciDevice { public void M() { } }",
            "namespace N; public class PciDevices { public void M() { } }",
            files => MirrorTests.Unnamed(files, [new SourceFile("tests/Mm.Core.Tests/ATests.cs", "class A { PciDevices a; } // PciDevice")])),
        Rule("unknown room", "src/Mm.Core/Nowhere/A.cs", "", null, files => RoomDependencyTests.UnknownRooms("Mm.Core", files)),
    ];

    private static IEnumerable<TestCaseData> SymbolRules =>
    [
        Symbols("no summary", "public enum Planted { }", $"{Summary}public enum Planted {{ }}", XmlDocTests.TypesWithoutSummary),
        Symbols(
            "no locking", "/// <summary>A.</summary>\npublic sealed class Planted { }", $"{Summary}public sealed class Planted {{ }}",
            XmlDocTests.TypesWithoutLocking),
        Member("no member summary", "public int P { get; }", "/// <summary>A.</summary>\npublic int P { get; }"),
        Member(
            "no param", "/// <summary>A.</summary>\npublic void M(int a) { }",
            "/// <summary>A.</summary>\n/// <param name=\"a\">B.</param>\npublic void M(int a) { }"),
        Member(
            "no returns", "/// <summary>A.</summary>\npublic int M() => 1;",
            "/// <summary>A.</summary>\n/// <returns>B.</returns>\npublic int M() => 1;"),
        Raw("property", "public ulong Address { get; }", "public ulong Seed { get; }"),
        Raw("nullable", "public long? Offset { get; }", "public bool? Offset { get; }"),
        Raw("parameter", "public void M(int length) { }", "public void M(int index) { }"),
        Raw("span", "public void M(System.ReadOnlySpan<ulong> frames) { }", "public void M(System.ReadOnlySpan<byte> buffer) { }"),
        Raw("indexer", "public int this[ulong pfn] => 1;", "public int this[int index] => 1;"),
        Raw("constructor", "public Planted(ulong address) { }", "public Planted(string name) { }"),
        Raw("field", "public readonly uint Bytes;", "private readonly uint Bytes;"),
        Symbols(
            "unmapped symbol", "/// <remarks><b>Linux:</b> struct page (v6.12).</remarks>\npublic sealed class Planted { }",
            "/// <remarks><b>Linux:</b> none.</remarks>\npublic sealed class Planted { }", model => LinuxMapTests.Unmapped(model, [])),
    ];

    [TestCaseSource(nameof(TextRules))]
    [TestCaseSource(nameof(SymbolRules))]
    public void Rule_ShownWhatItForbids_BitesAndLetsTheRightThingPass(Func<string, int> count, string bad, string? good)
    {
        Assert.That(count(bad), Is.Positive, bad);
        Assert.That(good is null ? 0 : count(good), Is.Zero, good);
    }

    [Test]
    public void RoomsLookUp_RoomThatUsesALaterOne_IsFound()
    {
        var model = new SourceModel(
            "Mm.Core",
            [
                new SourceFile("src/Mm.Core/Native/Low.cs", "namespace Mm.Core.Native; class Low { Mm.Core.Dma.High h; }"),
                new SourceFile("src/Mm.Core/Dma/High.cs", "namespace Mm.Core.Dma; class High { Mm.Core.Native.Low l; }"),
            ]);

        Assert.That(
            RoomDependencyTests.LookingAhead("Mm.Core", model),
            Is.EqualTo((string[])["src/Mm.Core/Native/Low.cs:1: room Native uses High of room Dma"]));
    }

    [Test]
    public void Machine_TakenByARoom_IsFound()
    {
        var model = new SourceModel(
            "Mm.Core",
            [
                new SourceFile("src/Mm.Core/Machine.cs", "namespace Mm.Core; class Machine { }"),
                new SourceFile(Room, "namespace Mm.Core.Dma; class Planted { void M(Machine m) { } }"),
            ]);

        Assert.That(RoomDependencyTests.MachineTakers(model), Is.EqualTo((string[])[$"{Room}:1: uses Machine"]));
    }

    [Test]
    public void Projects_LookingUpOrOutside_AreFound()
    {
        const string up = "<Project><ProjectReference Include=\"..\\Mm.Cli\\Mm.Cli.csproj\" /><PackageReference Include=\"NUnit\" /></Project>";

        Assert.That(ProjectReferenceTests.LookingUp("Mm.Core", up), Is.EqualTo((string[])["Mm.Cli"]));
        Assert.That(ProjectReferenceTests.ForeignPackages(up), Is.EqualTo((string[])["NUnit"]));
        Assert.That(FenceTests.SwitchesUnsafeOn("src/Mm.Cli/Mm.Cli.csproj", "<AllowUnsafeBlocks>True</AllowUnsafeBlocks>"), Is.True);
        Assert.That(HygieneTests.HasLockFile("src/A/A.csproj", _ => false), Is.False);
        Assert.That(
            HygieneTests.OutsideTheSolution(["src/A/A.csproj", "src/B/B.csproj"], "\"B\", \"src\\B\\B.csproj\""), Is.EqualTo((string[])["src/A/A.csproj"]));
    }

    [Test]
    public void Link_ThatLeadsNowhere_IsFound()
    {
        Assert.That(LinkTests.Broken("docs/a.md", "[a](no-such.md) [b](../README.md#c) [d](https://e)"), Is.EqualTo((string[])["docs/a.md: no-such.md"]));
    }

    [Test]
    public void MapRow_ThatIsWrong_IsFound()
    {
        IReadOnlyList<LinuxMapTests.Row> rows = LinuxMapTests.Rows("| `a` | `Nothing` | simplified | — |\n| `b` | — | out of scope | `ATests` |");

        Assert.That(LinuxMapTests.WrongStates(rows).Count(), Is.EqualTo(1));
        Assert.That(LinuxMapTests.Untested(rows).Count(), Is.EqualTo(2));
        Assert.That(LinuxMapTests.UnknownNames(rows, row => row.Mm, ["Something"]).Count(), Is.EqualTo(1));
    }

    [Test]
    public void ApiListing_OfAChange_DiffersInItsLine()
    {
        static string Listed(string member) => ApiListing.Of(Model($"public sealed class Planted {{ {member} }}"));

        Assert.That(Listed("public void M(int a) { }"), Is.Not.EqualTo(Listed("public void M(int b) { }")));
        Assert.That(Listed("internal void M(int a) { }"), Is.EqualTo(Listed("private void N() { }")));
    }

    private static TestCaseData Rule(string name, string path, string bad, string? good, Func<IEnumerable<SourceFile>, IEnumerable<string>> rule) =>
        Case(name, text => rule([new SourceFile(path, text)]).Count(), bad, good);

    private static TestCaseData Symbols(string name, string bad, string good, Func<SourceModel, IEnumerable<string>> rule) =>
        Case(name, text => rule(Model(text)).Count(), bad, good);

    private static TestCaseData Member(string name, string bad, string good) =>
        Symbols(name, $"public sealed class Planted {{\n{bad}\n}}", $"public sealed class Planted {{\n{good}\n}}", XmlDocTests.MemberGaps);

    private static TestCaseData Raw(string name, string bad, string good) => Symbols(
        $"raw {name}", $"public sealed class Planted {{ {bad} }}", $"public sealed class Planted {{ {good} }}", RawIntegerTests.RawIntegers);

    private static TestCaseData Case(string name, Func<string, int> count, string bad, string? good) =>
        new TestCaseData(count, bad, good).SetArgDisplayNames(name);

    private static SourceModel Model(string text) => new("Planted", [new SourceFile(Room, $"namespace Mm.Core.Dma;\n{text}")]);
}
