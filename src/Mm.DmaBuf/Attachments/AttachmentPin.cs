namespace Mm.DmaBuf.Attachments;

/// <summary>A buffer kept where it is by an importer that follows moves.</summary>
/// <remarks>
/// Owns one pin of the exporter's, until it is disposed or the attachment ends. It keeps the memory from moving, not from
/// being revoked.
/// <para><b>Linux:</b> dma_buf_pin and dma_buf_unpin (v6.12), as a lease.</para>
/// <para><b>Locking:</b> disposing enters the reservation unless the thread has it locked. Twice does nothing.</para>
/// </remarks>
public sealed class AttachmentPin : IDisposable
{
    private readonly BufferAttachment attachment;

    internal AttachmentPin(BufferAttachment attachment) => this.attachment = attachment;

    /// <summary>Drops the pin.</summary>
    public void Dispose() => attachment.Unpin(this);
}
