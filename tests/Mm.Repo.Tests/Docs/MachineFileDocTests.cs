using System.Text;
using System.Text.RegularExpressions;
using Mm.P2pDma.Importers;
using Mm.P2pDma.Importers.MachineFiles;
using Mm.P2pDma.Topologies;

namespace Mm.Repo.Tests.Docs;

/// <summary>docs/machine-file.md says what the reader takes: its example is read, and its tables list each member.</summary>
public sealed partial class MachineFileDocTests
{
    private const string Page = "docs/machine-file.md";
    private const string Head = "\"format\": \"mm-machine\", \"version\": 1";

    // A file with a member that does not exist, at each level: the refusal lists those that do.
    private static readonly Dictionary<string, string> Levels = new(StringComparer.Ordinal)
    {
        ["The file"] = $"{{{Head}, \"zz\": 0}}",
        ["hosts"] = Inside("hosts", "\"zz\": 0"),
        ["cpu"] = Inside("hosts", "\"cpu\": {\"zz\": 0}"),
        ["nodes"] = Inside("nodes", "\"zz\": 0"),
        ["hostBridges"] = Inside("hostBridges", "\"zz\": 0"),
        ["functions"] = Inside("functions", "\"zz\": 0"),
        ["link"] = Inside("functions", "\"link\": {\"zz\": 0}"),
        ["bars"] = Inside("functions", "\"bars\": [{\"zz\": 0}]"),
        ["devices"] = Inside("functions", "\"devices\": [{\"zz\": 0}]"),
        ["interconnects"] = Inside("interconnects", "\"zz\": 0"),
    };

    // A word that does not exist, in each list of words.
    private static readonly string[] Words =
    [
        $"{{{Head}, \"omissions\": [\"zz\"]}}",
        Inside("hosts", "\"cpu\": {\"vendor\": \"zz\"}"),
        Inside("functions", "\"port\": \"zz\""),
        Inside("functions", "\"bars\": [{\"flags\": [\"zz\"]}]"),
        Inside("functions", "\"devices\": [{\"kind\": \"zz\"}]"),
        Inside("interconnects", "\"kind\": \"zz\""),
    ];

    private static IEnumerable<string> LevelNames => Levels.Keys;

    [Test]
    public void Example_OfThePage_IsReadWholeAndAnswers()
    {
        ImportResult result = Read(Example());

        Assert.That(result.Errors, Is.Empty);
        Assert.That(result.Notes, Is.Empty);
        TopologySnapshot snapshot = result.Topology!.Snapshot;
        Assert.That(snapshot.Functions, Has.Count.EqualTo(4));
        Assert.That(snapshot.TryFindByName("card0", out PciFunction? gpu), Is.True);
        Assert.That(gpu!.Bars, Has.Count.EqualTo(1));
    }

    [Test]
    public void Example_WrittenAndReadAgain_IsTheSameText()
    {
        string once = MachineFile.Write(Read(Example()).Topology!.Snapshot);

        Assert.That(MachineFile.Write(Read(once).Topology!.Snapshot), Is.EqualTo(once));
    }

    [TestCaseSource(nameof(LevelNames))]
    public void Table_OfEachLevel_ListsTheMembersThatTheReaderTakes(string level)
    {
        ImportError refusal = Read(Levels[level]).Errors.Single(error => error.What == "the member is not known");

        Assert.That(Listed(level), Is.EquivalentTo(refusal.Allowed.Split(", ")));
    }

    [TestCaseSource(nameof(Words))]
    public void Page_OfEachListOfWords_NamesThemAll(string file)
    {
        string page = Repository.Read(Page);
        ImportError refusal = Read(file).Errors.First(error => error.Found.Contains("zz", StringComparison.Ordinal));
        string[] words = refusal.Allowed.Split([", ", " or "], StringSplitOptions.None);

        Assert.That(words.Where(word => !page.Contains($"`{word}`", StringComparison.Ordinal)), Is.Empty);
    }

    private static string Inside(string list, string members) => $"{{{Head}, \"{list}\": [{{{members}}}]}}";

    private static ImportResult Read(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return MachineFile.Read(stream, "example.json", ImportLimits.Default);
    }

    private static string Example() => Fence().Match(Repository.Read(Page)).Groups["name"].Value;

    private static IEnumerable<string> Listed(string level) => Repository.Read(Page)
        .Split($"\n## {level}\n", 2)[1].Split("\n## ")[0].Split('\n')
        .Select(line => Row().Match(line)).Where(match => match.Success).Select(match => match.Groups["name"].Value);

    [GeneratedRegex("```json\n(?<name>.*?)```", RegexOptions.ExplicitCapture | RegexOptions.Singleline, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^\| `(?<name>\w+)` \|", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Row();
}
