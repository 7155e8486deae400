using Mm.Core.Native;

namespace Mm.Core.Tests.Native;

internal sealed class CopyRunTests
{
    [Test]
    public void Run_OverAShuffledList_MovesEveryPage()
    {
        var ledger = new NativeBytes();
        using var from = new NativeRegion(ledger, ByteCount.FromKiB(64));
        using var to = new NativeRegion(ledger, ByteCount.FromKiB(64));
        using SpanLease source = from.Lease(default, from.Length);
        using SpanLease destination = to.Lease(default, to.Length);
        new MachineRandom(3).Fill(source.Bytes);
        int[] list = [3, 0, 15, 7, 8, 1, 2, 14, 4, 13, 5, 12, 6, 11, 9, 10];

        using (CopyRun run = CopyRun.Start(Page(source.Bytes, list[0])))
        {
            for (int i = 0; i < list.Length; i++)
            {
                Span<byte> next = i + 1 < list.Length ? Page(source.Bytes, list[i + 1]) : default;
                run.Copy(Page(source.Bytes, list[i]), Page(destination.Bytes, i), next);
            }
        }

        for (int i = 0; i < list.Length; i++)
        {
            Assert.That(Page(destination.Bytes, i).SequenceEqual(Page(source.Bytes, list[i])), Is.True);
        }
    }

    [Test]
    public void Run_OfOverlappingPages_IsRefused() =>
        Assert.That(
            () =>
            {
                byte[] bytes = new byte[8192];
                using var run = CopyRun.Start();
                run.Copy(bytes.AsSpan(0, 4096), bytes.AsSpan(4095, 4096), default);
            },
            Throws.ArgumentException);

    private static Span<byte> Page(Span<byte> bytes, int index) => bytes.Slice(index * 4096, 4096);
}
