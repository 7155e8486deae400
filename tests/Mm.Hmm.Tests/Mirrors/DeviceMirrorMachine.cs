using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Mm.Conformance;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Hmm.Copying;
using Mm.Hmm.Mirrors;
using Mm.Testing.Machines;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>
/// Two processes, two devices, pins, forks, and things that fail, against a dictionary of words: what every CPU, device and pin
/// sees agrees after each step, and everything adds up.
/// </summary>
internal sealed class DeviceMirrorMachine
{
    private const int Samples = 12;
    private const int Size = 100;
    private const string Heading = "as a recording, for mm conform:\n";

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property PrivateDevices_UnderRandomPrograms_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Private).ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property CoherentDevices_UnderRandomPrograms_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Coherent).ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property PrivateDevices_WhereCopiesAndPagesFail_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Private) { Fails = true }.ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property CoherentDevices_WhereCopiesAndPagesFail_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Coherent) { Fails = true }.ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property PrivateDevices_OfTheNewerKernel_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Private) { Fails = true, Profile = LinuxProfile.V619 }.ToProperty();

    [FsCheck.NUnit.Property(MaxTest = 50)]
    public Property CoherentDevices_OfTheNewerKernel_AgreeWithTheDictionary() =>
        new Programs(MirrorMemoryKind.Coherent) { Fails = true, Profile = LinuxProfile.V619 }.ToProperty();

    [Test]
    public void Program_AsARecording_ReplaysWithoutDivergence([Values] MirrorMemoryKind kind)
    {
        var programs = new Programs(kind) { CanEvict = false };
        var text = new StringBuilder();
        foreach (MachineProgram<MirrorWorld, ReferenceWorld> program in programs.ToArbitrary().Generator.Sample(Samples, Size))
        {
            program.Run(programs);
            text.Append(programs.Last!.Recording);
        }

        FileResult result = Replay(text.ToString());

        Assert.That(
            (result.Error, result.Divergences, result.Programs),
            Is.EqualTo(((object?)null, 0L, (long)Samples)),
            string.Join('\n', result.First));
        Assert.That(result.Operations, Is.GreaterThan(Samples));

    }

    // CVE-2024-50096 put back in: a migration trusts a destination that nobody has wholly written.
    [Test]
    public void StaleBytes_OfACopyThatFails_AreCaughtAndPrintAsARecording()
    {
        var programs = new Programs(MirrorMemoryKind.Private) { Fails = true, Plant = static spaces => spaces.TrustsUnwrittenPages = true };

        MachineFailedException? failed = null;
        foreach (MachineProgram<MirrorWorld, ReferenceWorld> program in programs.ToArbitrary().Generator.Sample(500, Size))
        {
            failed ??= Failure(program, programs);
        }

        Assert.That(failed, Is.Not.Null, "500 programs did not notice");
        FileResult result = Replay(failed!.InnerException!.Message.Split(Heading)[1]);
        Assert.That((result.Error, result.Programs), Is.EqualTo(((object?)null, 1L)), failed.Message);
    }

    // A wrong answer stands in the recording as the reference has it, so that the replay stops at the same line.
    [Test]
    public void WrongAnswer_AsARecording_DivergesAtItsLine()
    {
        using var world = new MirrorWorld(MirrorMemoryKind.Private);
        var model = new ReferenceWorld();
        var map = new MirrorStep { Name = "map", Count = 2, Kind = AreaKind.AnonymousPrivate, Access = AreaAccess.ReadWrite };
        world.Run(map, model);
        model = map.Advance(model);
        model = new MirrorStep { Name = "cpu-write", First = 1, Value = 7 }.Advance(model); // the real thing never hears of it

        ReplayableException? failed = Assert.Throws<ReplayableException>(
            () => world.Run(new MirrorStep { Name = "cpu-read", First = 1 }, model));

        FileResult result = Replay(failed!.Message.Split(Heading)[1]);
        Assert.That(result.First.Single().ToString(), Is.EqualTo("t.txt:3: cpu-read A 1: expected ok data=7/0, got ok data=0/0"));
    }

    // Found by the machine: a fault on a page of a mirror that is closed, and that could not be evicted.
    [Test]
    public void ClosedMirror_WhoseEvictionFailed_StillServesFaults([Values] MirrorMemoryKind kind)
    {
        using var world = new MirrorWorld(kind);
        var model = new ReferenceWorld();
        foreach (MirrorStep step in (MirrorStep[])
        [
            new() { Name = "map", Count = 2, Kind = AreaKind.AnonymousPrivate, Access = AreaAccess.ReadWrite },
            new() { Name = "cpu-write", First = 1, Value = 7 },
            new() { Name = "fork" },
            new() { Name = "migrate-to-device", IsChild = true, First = 1 },
            new() { Name = "exit", IsChild = true, Failing = CopyFaults.Page },
            new() { Name = "cpu-read", First = 1 },
            new() { Name = "device-read", First = 1 },
        ])
        {
            world.Run(step, model);
            model = step.Advance(model);
            world.Check(model);
        }
    }

    private static MachineFailedException? Failure(MachineProgram<MirrorWorld, ReferenceWorld> program, Programs programs)
    {
        using var _ = new NUnit.Framework.Internal.TestExecutionContext.IsolatedContext();
        try
        {
            program.Run(programs);
            return null;
        }
        catch (MachineFailedException failed)
        {
            return failed;
        }
    }

    private static FileResult Replay(string text)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(text));
        return new ConformanceRunner().Run("t.txt", stream);
    }

    private sealed class Programs(MirrorMemoryKind kind) : ModelMachine<MirrorWorld, ReferenceWorld>
    {
        private static readonly AreaKind[] Kinds =
        [
            AreaKind.AnonymousPrivate, AreaKind.AnonymousPrivate, AreaKind.AnonymousPrivate,
            AreaKind.AnonymousShared, AreaKind.FilePrivate, AreaKind.FileShared,
        ];

        private static readonly AreaAccess[] Accesses =
            [AreaAccess.ReadWrite, AreaAccess.ReadWrite, AreaAccess.ReadWrite, AreaAccess.Read, AreaAccess.None];

        private static readonly string[] Manners = ["read fast", "read slow", "write fast", "write slow"];

        private static readonly FaultPoint[] Points = [CopyFaults.Page, CopyFaults.Page, FaultPoint.PageAlloc, FaultPoint.DevicePage];

        /// <summary>Whether copies and allocations fail now and then.</summary>
        public bool Fails { get; init; }

        /// <summary>Whether devices evict their memory by themselves, which no recording can tell.</summary>
        public bool CanEvict { get; init; } = true;

        /// <summary>Which kernel.</summary>
        public LinuxProfile Profile { get; init; } = LinuxProfile.V612;

        /// <summary>Puts a fault in.</summary>
        public Action<AddressSpaces>? Plant { get; init; }

        /// <summary>The last real thing.</summary>
        public MirrorWorld? Last { get; private set; }

        public override int MaxOperations => Size;

        public override MirrorWorld StartActual() => Last = new MirrorWorld(kind, Plant, Profile);

        public override ReferenceWorld StartModel() => new();

        public override Gen<MachineOperation<MirrorWorld, ReferenceWorld>> Next(ReferenceWorld model) =>
            from who in Gen.Choose(0, 1)
            let process = model.Child is not null && who == 0 ? model.Child : model.Parent
            from name in Gen.Frequency(MirrorVerbs.After(model, process, CanEvict).Select(verb => (verb.Weight, Gen.Constant(verb.Name))))
            from region in Gen.Elements(MirrorVerbs.RegionsFor(name, process))
            from device in Gen.Choose(0, 1)
            from value in Gen.Choose(1, 1_000_000)
            from slot in Gen.Choose(0, 1)
            from mapped in Gen.Elements(Kinds)
            from access in Gen.Elements(Accesses)
            from manner in Gen.Elements(Manners)
            let isChild = name == "exit" || (name is not ("fork" or "evict") && process == model.Child)
            let size = name == "map" ? 6 : Math.Max(1, process.RegionAt(region).Pages)
            from first in Gen.Choose(0, size - 1)
            from count in Gen.Choose(1, name == "map" ? size : size - first)
            from failing in Gen.Choose(0, Fails ? 2 : 0)
            from point in Gen.Elements(Points)
            from call in Gen.Choose(1, 3)
            select (MachineOperation<MirrorWorld, ReferenceWorld>)new MirrorStep
            {
                Name = name,
                IsChild = isChild,
                Region = region,
                First = first,
                Count = name.StartsWith("cpu", StringComparison.Ordinal) ? 1 : count,
                Device = device + (kind == MirrorMemoryKind.Private ? 0 : 2),
                Value = (ulong)value,
                Slot = (ulong)slot,
                Kind = mapped,
                Access = access,
                Manner = manner,
                Failing = failing == 1 ? point : null,
                FailingFrom = (ulong)call,
            };

        public override void CheckInvariants(MirrorWorld actual, ReferenceWorld model) => actual.Check(model);

        public override void CheckAtEnd(MirrorWorld actual, ReferenceWorld model)
        {
            actual.ReadAll(model);
            actual.Check(model);
        }
    }
}
