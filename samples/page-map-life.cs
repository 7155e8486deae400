#:project ../src/Mm.Core/Mm.Core.csproj

// A driver gives 16 MiB of device memory page descriptors, hands one page out, and goes away while it is in use: the
// page map is found by nobody from then on, and dies when the page comes back, not before.
//
//   dotnet run -c Release samples/page-map-life.cs
using Mm.Core;
using Mm.Core.Frames;
using Mm.Core.Native;
using Mm.Core.Pagemaps;

var window = new PhysRange(new PhysAddr(0x40_0000_0000), ByteCount.FromMiB(16));
using Machine machine = Machine.CreateBuilder()
    .AddRam(new NodeId(0), new PhysRange(new PhysAddr(0x1_0000_0000), ByteCount.FromGiB(1)))
    .AddDeviceWindow("accelerator", window)
    .Build();

var request = new PagemapRequest
{
    Kind = PagemapKind.DeviceCoherent,
    Ranges = [window],
    Owner = "the driver of the accelerator",
    Ops = new Driver(),
};
machine.Pagemaps.TryAdd(request, out Pagemap? map).ThrowIfError();
Console.WriteLine($"{map!.Kind}: {map.Pages} in {map.Ranges[0]}, {map.State}");

// Descriptors are given once, in granules of 2 MiB, and never to RAM. A refusal changes nothing.
Console.WriteLine($"again: {machine.Pagemaps.TryAdd(request, out _)}");
PhysRange ram = new(new PhysAddr(0x1_0000_0000), ByteCount.FromMiB(2));
Console.WriteLine($"over RAM: {machine.Pagemaps.TryAdd(request with { Ranges = [ram] }, out _)}");

Pfn page = window.Start.Pfn;
map.TryHandOut(page, out PageRef reference, out PageLock pageLock).ThrowIfError();
pageLock.Dispose();
Console.WriteLine($"{page} is out: {reference.Info.References} reference, the map held by {map.HeldPages}");
((AddressablePagemap)map).TryLease(page, out SpanLease lease).ThrowIfError();
using (lease)
{
    lease.Bytes.Fill(0x5a);
}

// Linux sleeps in memunmap_pages until the page is back. Here the owner goes on, and is told.
map.Unmap(() => Console.WriteLine("the driver hears: the map is dead"));
Console.WriteLine($"unmapped: {map.State}, found: {machine.Pagemaps.TryFind(page, out _)}");
Console.WriteLine($"a new taker: {map.TryHandOut(page.AddChecked(PageCount.One), out _, out _)}");
Console.WriteLine($"the descriptors anew, too early: {machine.Pagemaps.TryAdd(request, out _)}");

reference.Dispose();
Console.WriteLine($"the page is back: {map.State}");
machine.Pagemaps.TryAdd(request, out Pagemap? next).ThrowIfError();
Console.WriteLine($"the descriptors anew: {next!.State}");
machine.Validate();

internal sealed class Driver : IPagemapOps
{
    public void OnPageFree(Pagemap map, Pfn page) => Console.WriteLine($"the driver hears: {page} is free");
}
