#:project ../src/Mm.P2pDma/Mm.P2pDma.csproj

// May the client's DMA reach the provider's memory? By which path, and if not, what says no and what would change it?
//
//   dotnet run -c Release samples/can-a-reach-b.cs                                    a built-in machine
//   dotnet run -c Release samples/can-a-reach-b.cs -- MACHINE PROVIDER CLIENT         yours
//
// MACHINE is a built-in name or a file that Mm imports (hwloc XML, NCCL XML, lspci, sysfs, Mm's own); PROVIDER and
// CLIENT are PCI addresses, or names that the machine gives its devices, as nvme0n1.
using Mm.P2pDma.Importers;
using Mm.P2pDma.Machines;
using Mm.P2pDma.Routing;
using Mm.P2pDma.Topologies;

string machine = args.Length > 0 ? args[0] : "two-switch";
string[] pair = args.Length == 3 ? args[1..] : ["card1", "nvme0n1"];

if (!BuiltInMachines.TryGet(machine, out Topology? topology))
{
    ImportResult imported = MachineImport.Open(machine);
    foreach (ImportNote note in imported.Notes)
    {
        Console.Error.WriteLine(note);
    }

    if (imported.Topology is null)
    {
        // Every fault has its place: FILE:LINE:COL: what, found, allowed. Nothing of a faulty file is taken.
        foreach (ImportError error in imported.Errors)
        {
            Console.Error.WriteLine(error);
        }

        return 2;
    }

    topology = imported.Topology;
}

PciPlace provider = Find(pair[0]);
PciPlace client = Find(pair[1]);
var router = new P2pRouter(topology, P2pRules.Linux612);
RouteExplanation answer = router.Explain(provider, client);
Console.WriteLine(answer);

AcsRemedy remedy = router.FindAcsRemedy(provider, client);
if (remedy.IsPossible && !remedy.IsNeedless)
{
    Console.WriteLine("To go direct, on the machine itself:");
    foreach (string line in remedy.ToSetPciLines())
    {
        Console.WriteLine($"  {line}");
    }

    Console.WriteLine($"Then: {router.WhatIf(remedy).Decide(provider, client)}");
}

return answer.Verdict.IsSupported ? 0 : 1;

PciPlace Find(string text)
{
    TopologySnapshot snapshot = topology.Snapshot;
    bool isThere = PciPlace.TryParse(text, out PciPlace place)
        ? snapshot.TryFind(place, out PciFunction? function)
        : snapshot.TryFindByName(text, out function);
    return isThere ? function!.Place : throw new ArgumentException($"{machine} has no {text}");
}
