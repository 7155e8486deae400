using Mm.Core;
using Mm.Core.Native;
using Mm.Hmm.Copying;

namespace Mm.Devices.Gpus.Vram;

/// <summary>The bytes of a GPU's memory and, behind them, RAM: what the GPU and its copy engine see.</summary>
/// <remarks>
/// A page of the memory has a frame that stands for it, which no CPU can address, and the first ones lie in the BAR's window
/// besides. Owns the bytes behind the end of the window; those in it are the window's. Not responsible for who has which page.
/// <para><b>Linux:</b> VRAM as a driver's ring sees it, with the ZONE_DEVICE pages that xe_svm and nouveau_dmem put over it.</para>
/// <para><b>States:</b> open → disposed; leases that are open then stay good until they end.</para>
/// <para><b>Locking:</b> immutable but for its end; safe from any thread.</para>
/// </remarks>
public sealed class VramBytes : IPageBytes, IDisposable
{
    private readonly Machine machine;
    private readonly CpuPageBytes outside;
    private readonly DeviceMemory? hidden; // null where the window shows all

    /// <summary>Puts bytes behind frames.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="frames">The frames that stand for the memory.</param>
    /// <param name="window">Where CPUs and peers find the first pages.</param>
    internal VramBytes(Machine machine, PfnRange frames, PhysRange window)
    {
        this.machine = machine;
        Frames = frames;
        Window = window;
        PageCount visible = window.Length.ToPagesRoundDown();
        outside = new CpuPageBytes(machine);
        if (visible < frames.Count)
        {
            var behind = new PfnRange(frames.Start.AddChecked(visible), frames.Count.SubtractChecked(visible));
            hidden = new DeviceMemory(behind, machine.CreateDeviceMemory(behind.Count.ToBytes()), outside);
        }
    }

    /// <summary>The frames that stand for the memory.</summary>
    public PfnRange Frames { get; }

    /// <summary>Where CPUs and peers find the first pages.</summary>
    public PhysRange Window { get; }

    /// <summary>The frame of a page.</summary>
    /// <param name="page">How many pages lie before it.</param>
    /// <returns>The frame.</returns>
    public Pfn FrameAt(PageCount page) => Frames.Start.AddChecked(page);

    /// <summary>Where CPUs and peers find pages.</summary>
    /// <param name="run">The pages.</param>
    /// <returns>Their addresses.</returns>
    /// <exception cref="ArgumentOutOfRangeException">Not all of them lie in the window.</exception>
    public PhysRange AddressOf(VramRun run) => Window.Slice(run.First.ToBytes(), run.Count.ToBytes());

    /// <inheritdoc/>
    public Errno TryLease(Pfn page, PageSize size, out SpanLease lease)
    {
        if (Frames.Contains(page))
        {
            ByteCount offset = page.OffsetFrom(Frames.Start).ToBytes();
            if (offset < Window.Length)
            {
                lease = default;
                return offset.AddChecked(size.Bytes) <= Window.Length
                    ? machine.TryLease(Window.Slice(offset, size.Bytes), out lease)
                    : Errno.ENXIO; // half in the window
            }
        }

        return hidden is null ? outside.TryLease(page, size, out lease) : hidden.TryLease(page, size, out lease);
    }

    /// <summary>Ends the bytes behind the window. Twice does nothing.</summary>
    public void Dispose() => hidden?.Dispose();
}
