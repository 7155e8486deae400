using Mm.Core;
using Mm.Core.Checks;
using Mm.DmaBuf.Buffers;
using Mm.DmaBuf.Exporters;
using Mm.DmaBuf.Fences;

namespace Mm.DmaBuf;

/// <summary>The sharing of memory on one machine: fences, buffers, and those who make buffers.</summary>
/// <remarks>
/// Owns the registries and composes the rooms.
/// <para><b>Linux:</b> drivers/dma-buf (v6.12), as initialised at boot.</para>
/// <para><b>Locking:</b> safe from any thread.</para>
/// </remarks>
public sealed class BufferSystem
{
    /// <summary>Starts sharing on a machine.</summary>
    /// <param name="machine">The machine.</param>
    public BufferSystem(Machine machine)
        : this(machine, points: null)
    {
    }

    /// <summary>For tests that run every order of what happens.</summary>
    internal BufferSystem(Machine machine, IYieldPoints? points)
    {
        ArgumentNullException.ThrowIfNull(machine);
        Machine = machine;
        Contexts = new FenceContexts(machine.Clock, points);
        Buffers = new BufferRegistry(machine, Contexts);
        Heaps = new DmaHeaps();
        Udmabuf = new UdmabufDevice(Buffers);
        Heaps.TryAdd(new SystemHeap(Buffers)).ThrowIfError(); // the first of its name
    }

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>The contexts of its fences.</summary>
    public FenceContexts Contexts { get; }

    /// <summary>The buffers that are alive.</summary>
    public BufferRegistry Buffers { get; }

    /// <summary>The heaps; <c>system</c> is there from the start.</summary>
    public DmaHeaps Heaps { get; }

    /// <summary>Makes buffers of in-memory files.</summary>
    public UdmabufDevice Udmabuf { get; }

    /// <summary>Makes the file table of a process.</summary>
    /// <returns>An empty table; the caller disposes it.</returns>
    public FileTable CreateFileTable() => new(Machine);

    /// <summary>Recounts the machine and the buffers. Wants the machine at rest.</summary>
    /// <exception cref="MmBugException">Something does not add up: a bug in Mm.</exception>
    public void Validate()
    {
        Machine.Validate();
        Buffers.Validate();
    }
}
