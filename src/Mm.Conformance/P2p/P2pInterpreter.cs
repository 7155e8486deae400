using Mm.Conformance.Recordings;
using Mm.Core.PhysRanges;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

namespace Mm.Conformance.P2p;

/// <summary>Replays a recording of peer-to-peer DMA: the PCI tree of a machine, its settings, and what the kernel said of pairs.</summary>
/// <remarks>
/// Each <c>config</c> makes a topology of the machine's devices with its own CPU, first devices and ACS; each
/// <c>add-resource</c> and <c>allocator</c> block is a machine of its own with one BAR.
/// <para><b>Linux:</b> pci_p2pdma_distance_many, dma_map_sgtable, pci_p2pdma_add_resource and pci_alloc_p2pmem, as recorded
/// (v6.12).</para>
/// <para><b>Locking:</b> the caller's.</para>
/// </remarks>
internal sealed class P2pInterpreter : RecordingInterpreter
{
    private readonly ConformanceOptions options;
    private readonly P2pMachine machine;
    private P2pMemoryBlock? block;
    private P2pRouter? router;
    private P2pSettings? settings;

    public P2pInterpreter(ConformanceOptions options)
    {
        this.options = options;
        machine = new P2pMachine(options.Limits.MaxDevices);
    }

    /// <summary>Whether a file with this first line is one.</summary>
    public static bool Recognizes(string folder, RecordingLine first) =>
        first.Text.StartsWith("machine ", StringComparison.Ordinal);

    public override void Replay(RecordingLine line, ReplayLog log)
    {
        RecordingWords words = line.Words();
        string operation = words.Take("an operation");
        if (block is not null)
        {
            ReplayInBlock(block, operation, words, line, log);
            return;
        }

        switch (operation)
        {
            case "machine":
                _ = words.TakeValue("seed");
                words.End();
                break;
            case "device":
                machine.AddDevice(words);
                break;
            case "add-resource":
                block = P2pMemoryBlock.StartAdding(words, machine, options.CreateP2pMemory);
                break;
            case "allocator":
                block = P2pMemoryBlock.StartAllocator(words, machine, options.CreateP2pMemory);
                break;
            case "config":
                log.CountProgram();
                StartConfig(words);
                break;
            case "first-on-root":
                Settings(words).SetFirstOnRoot(words, machine);
                break;
            case "acs":
                Settings(words).SetAcs(words, machine);
                break;
            case "pair":
                log.Compare(line, Pair(words));
                break;
            case "many":
                log.Compare(line, Many(words));
                break;
            default:
                throw line.Words().Error(
                    "not an operation",
                    operation,
                    "machine, device, add-resource, config, first-on-root, acs, pair, many or allocator");
        }
    }

    public override void Finish(RecordingLine last, ReplayLog log)
    {
        if (block is not null)
        {
            throw last.Words().Error("a block has no end", last.Text, "end");
        }
    }

    public override void Dispose()
    {
        block?.Dispose();
        block = null;
        base.Dispose();
    }

    private void ReplayInBlock(
        P2pMemoryBlock current, string operation, RecordingWords words, RecordingLine line, ReplayLog log)
    {
        if (current.Replay(operation, words) is { } got)
        {
            log.Compare(line, got);
            return;
        }

        current.Dispose();
        block = null;
    }

    private void StartConfig(RecordingWords words)
    {
        settings = new P2pSettings(words);
        router = null;
    }

    private P2pSettings Settings(RecordingWords words)
    {
        if (settings is null || router is not null)
        {
            throw words.Error("a setting stands in the wrong place", words.Peek.ToString(), "settings right after config");
        }

        return settings;
    }

    private string Pair(RecordingWords words)
    {
        P2pRouter current = Router(words);
        PciAddress provider = machine.TakeKnown(words);
        PciAddress client = machine.TakeKnown(words);
        words.End();
        P2pVerdict verdict = current.Decide(provider, client);
        string map = verdict.Kind switch
        {
            P2pMapKind.BusAddress => "bus-address",
            P2pMapKind.ThroughHostBridge => "through-host-bridge",
            _ => "EREMOTEIO",
        };
        return $"distance={current.DistanceMany(provider, client)} map={map}";
    }

    private string Many(RecordingWords words)
    {
        P2pRouter current = Router(words);
        PciAddress provider = machine.TakeKnown(words);
        var clients = new List<PciPlace>();
        while (!words.IsEnd)
        {
            clients.Add(machine.TakeKnown(words));
        }

        return $"distance={current.DistanceMany(provider, [.. clients])}";
    }

    private P2pRouter Router(RecordingWords words)
    {
        if (settings is null)
        {
            throw words.Error("a question stands in the wrong place", words.Peek.ToString(), "questions after config");
        }

        return router ??= new P2pRouter(machine.Build(settings, words), options.P2pRules);
    }
}
