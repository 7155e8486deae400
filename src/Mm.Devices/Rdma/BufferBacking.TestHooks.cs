namespace Mm.Devices.Rdma;

/// <content>Faults of the past that tests put back in, to show that they would be caught.</content>
internal sealed partial class BufferBacking
{
    // Linux: "RDMA/umem: Fix double dma_buf_unpin in failure path" (2026, museum 18): the release unpins, and this path did too.
    private void UndoPinToo()
    {
        if (context.Nic.UnpinsTwice)
        {
            pin?.Dispose();
        }
    }
}
