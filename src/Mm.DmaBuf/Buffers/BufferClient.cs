using Mm.Core;

namespace Mm.DmaBuf.Buffers;

/// <summary>Who is attached to a buffer, as its exporter sees it.</summary>
/// <remarks>
/// <b>Linux:</b> the fields of struct dma_buf_attachment that exporters read (v6.12).
/// <para><c>default</c> is no device. Immutable.</para>
/// </remarks>
/// <param name="Device">The device that will do the DMA; none for the kernel's own view.</param>
/// <param name="IsDynamic">Whether it is told of moves, and so needs no pin.</param>
/// <param name="IsPeerToPeer">
/// Whether it takes memory of a peer: at attach, what the importer allows; later, what was agreed.
/// </param>
public readonly record struct BufferClient(DeviceId Device, bool IsDynamic, bool IsPeerToPeer);
