using Mm.Cli.Pictures;
using Mm.Core;
using Mm.Core.Dma;
using Mm.P2pDma;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Providers;
using Mm.P2pDma.Topologies;
using Spectre.Console;

namespace Mm.Cli.Tour;

/// <summary>What a chapter stands on: the small two-switch machine, fresh for each, and a voice.</summary>
/// <remarks>
/// The cast: a GPU and a NIC behind one switch; a second GPU and an NVMe drive behind another switch, whose ports redirect
/// peer traffic; and a NIC under the other socket.
/// </remarks>
internal sealed class TourStage : IDisposable
{
    /// <summary>The machine that the tour is told on.</summary>
    public const string MachineName = "two-switch";

    /// <summary>Where the RAM of the first socket starts: above the 4 GiB that devices share.</summary>
    public static readonly PhysAddr FirstRam = new(0x1_0000_0000);

    private readonly IAnsiConsole console;

    /// <summary>Builds the stage.</summary>
    public TourStage(CliContext context, ulong seed)
    {
        console = context.CreateConsole();
        Output = context.Output;
        if (!BuiltInMachines.TryGet(MachineName, out Topology? topology))
        {
            throw new InvalidOperationException($"the built-in machine {MachineName} is gone");
        }

        // 1 GiB a socket of the 64 that the description tells: enough to show, and nothing is touched until used.
        Machine = Machine.CreateBuilder()
            .WithSeed(seed)
            .AddRam(new NodeId(0), new PhysRange(FirstRam, ByteCount.FromGiB(1)))
            .AddRam(new NodeId(1), new PhysRange(new PhysAddr(0x10_0000_0000), ByteCount.FromGiB(1)))
            .Build();
        Pci = new PciSystem(Machine, topology);
        Gpu = Find(DeviceRole.Gpu, 0);
        SecondGpu = Find(DeviceRole.Gpu, 1);
        DirectNic = Find(DeviceRole.Nic, 0);
        FarNic = Find(DeviceRole.Nic, 1);
        Drive = Find(DeviceRole.Nvme, 0);
    }

    /// <summary>Where pictures go.</summary>
    public TextWriter Output { get; }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>Its PCI side.</summary>
    public PciSystem Pci { get; }

    /// <summary>The GPU whose memory everybody wants.</summary>
    public PciFunction Gpu { get; }

    /// <summary>The GPU behind the switch whose ports redirect.</summary>
    public PciFunction SecondGpu { get; }

    /// <summary>The NIC behind the first GPU's own switch.</summary>
    public PciFunction DirectNic { get; }

    /// <summary>The NIC under the other socket.</summary>
    public PciFunction FarNic { get; }

    /// <summary>The NVMe drive behind the switch whose ports redirect.</summary>
    public PciFunction Drive { get; }

    /// <summary>How many checks did not hold.</summary>
    public int FailedChecks { get; private set; }

    /// <summary>The index of a function's largest memory BAR: where its memory is.</summary>
    public static int LargestBar(PciFunction function) =>
        function.Bars.Where(bar => bar.IsMemory).MaxBy(bar => bar.Size?.Value ?? 0).Index;

    /// <summary>Starts a chapter.</summary>
    public void Heading(TourChapter chapter)
    {
        console.MarkupLineInterpolated($"[bold]== {chapter.Name}: {chapter.Title}[/]");
        console.WriteLine();
    }

    /// <summary>Says something.</summary>
    public void Say(string text) => Output.WriteLine(text);

    /// <summary>Checks something and says how it went.</summary>
    public void Check(bool holds, string what)
    {
        FailedChecks += holds ? 0 : 1;
        if (holds)
        {
            console.MarkupLineInterpolated($"[green]ok[/]   {what}");
        }
        else
        {
            console.MarkupLineInterpolated($"[red]FAIL[/] {what}");
        }
    }

    /// <summary>Gives a function its DMA view: 64-bit addresses, segments of up to 4 MiB.</summary>
    /// <param name="function">The function.</param>
    /// <param name="domain">Who translates for it; <see langword="null"/> for nobody.</param>
    public DmaDevice Attach(PciFunction function, IommuDomain? domain = null)
    {
        var limits = new DmaLimits(ByteCount.FromMiB(4), ByteCount.FromGiB(4));
        Pci.TryAttach(function.Place, DmaMask.Bits64, limits, domain, out DmaDevice? view).ThrowIfError();
        return view!;
    }

    /// <summary>The provider of the GPU's memory.</summary>
    public BarProvider ProvideGpuMemory()
    {
        Pci.Bars.TryGet(Gpu.Place, LargestBar(Gpu), out BarProvider? provider).ThrowIfError();
        return provider!;
    }

    /// <summary>Ends a chapter: everything is recounted.</summary>
    public void End()
    {
        Pci.Validate();
        Check(true, "every count adds up from the bottom");
        console.WriteLine();
    }

    /// <inheritdoc/>
    public void Dispose() => Machine.Dispose();

    private PciFunction Find(DeviceRole role, int index) =>
        Pci.Topology.Snapshot.Functions
            .Where(function => DeviceRoles.Has(function, role))
            .OrderBy(function => function.Place)
            .ElementAt(index);
}
