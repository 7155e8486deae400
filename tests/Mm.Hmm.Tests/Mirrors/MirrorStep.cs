using System.Globalization;
using Mm.Core;
using Mm.Core.Spaces;
using Mm.Testing.Machines;

namespace Mm.Hmm.Tests.Mirrors;

/// <summary>One operation of a program, as a recording would write it.</summary>
internal sealed class MirrorStep : MachineOperation<MirrorWorld, ReferenceWorld>
{
    internal required string Name { get; init; }

    internal bool IsChild { get; init; }

    internal int Region { get; init; }

    internal int First { get; init; }

    internal int Count { get; init; } = 1;

    internal int Device { get; init; }

    internal ulong Value { get; init; }

    internal ulong Slot { get; init; }

    internal AreaKind Kind { get; init; }

    internal AreaAccess Access { get; init; }

    /// <summary>How a set of pins is asked for: read or write, fast or slow.</summary>
    internal string Manner { get; init; } = "write fast";

    /// <summary>What fails while it is tried first; nothing by default.</summary>
    internal FaultPoint? Failing { get; init; }

    /// <summary>Which call fails first; all after it fail too.</summary>
    internal ulong FailingFrom { get; init; } = 1;

    /// <summary>Whether a refusal half-way leaves memory as it was.</summary>
    internal bool ChangesNothing => Name is "cpu-read" or "device-read" or "migrate-to-device" or "migrate-to-system"
        or "make-exclusive" or "check-exclusive" or "snapshot" or "pagemap" or "populate-write" or "evict" or "pin" or "long-pin";

    internal bool HasRange => Name is not ("fork" or "exit" or "move" or "evict" or "unpin" or "long-unpin" or "long-pin-read" or "map");

    public override bool CanRun(ReferenceWorld model)
    {
        if (model.Of(IsChild) is not { } process || (Name == "fork" && (IsChild || model.Child is not null))
            || (Name == "exit" && !IsChild))
        {
            return false;
        }

        ReferenceRegion region = process.RegionAt(Region);
        if (Name == "move")
        {
            return region.IsWhole;
        }

        // A write that is refused half-way leaves what only the device's own table can tell.
        bool isFit = !HasRange || First + Count <= region.Pages;
        bool isClear = Name != "device-write" || Count == 1 || !isFit
            || Array.TrueForAll(process.Range(Region, First, Count), page => page is { IsWritable: true });
        return isFit && isClear;
    }

    public override void Check(MirrorWorld actual, ReferenceWorld model) => actual.Run(this, model);

    public override ReferenceWorld Advance(ReferenceWorld model)
    {
        ReferenceWorld after = model.Clone();
        _ = ReferenceRules.Apply(this, after);
        return after;
    }

    public override IEnumerable<MachineOperation<MirrorWorld, ReferenceWorld>> Shrink()
    {
        if (Failing is not null)
        {
            yield return With(First, Count, fails: false);
        }

        if (Count > 1 && Name != "map")
        {
            yield return With(First, 1, Failing is not null);
            yield return With(First + 1, Count - 1, Failing is not null);
            yield return With(First, Count - 1, Failing is not null);
        }
    }

    /// <summary>The operation without its outcome.</summary>
    internal string Line
    {
        get
        {
            string region = ((char)('A' + Region)).ToString();
            string arguments = Name switch
            {
                "fork" or "exit" or "long-unpin" or "long-pin-read" => "",
                "map" => Text($" {region} {Count} {Words(Access)} {Words(Kind)}"),
                "move" => $" {region}",
                "evict" => Text($" {Device}"),
                "unpin" => Text($" {Slot}"),
                "cpu-read" => Text($" {region} {First}"),
                "cpu-write" => Text($" {region} {First} {Value}"),
                "protect" => Text($" {region} {First} {Count} {Words(Access)}"),
                "pin" => Text($" {Slot} {region} {First} {Count}"),
                "long-pin" => Text($" {region} {First} {Count} {Manner}"),
                "device-write" => Text($" {Device} {region} {First} {Count} {Value}"),
                "unmap" or "dontneed" or "populate-write" or "pagemap" => Text($" {region} {First} {Count}"),
                _ => Text($" {Device} {region} {First} {Count}"),
            };
            return $"{(IsChild ? "child " : "")}{Name}{arguments}";
        }
    }

    public override string ToString() =>
        Failing is { } point ? Text($"{Line}   # first with {point.Name} from call {FailingFrom} on") : Line;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Words(AreaAccess access) => access switch
    {
        AreaAccess.ReadWrite => "rw",
        AreaAccess.Read => "r-",
        _ => "--",
    };

    private static string Words(AreaKind kind) => kind switch
    {
        AreaKind.AnonymousPrivate => "anon",
        AreaKind.AnonymousShared => "shared-anon",
        AreaKind.FilePrivate => "file-private",
        _ => "file-shared",
    };

    private MirrorStep With(int first, int count, bool fails) => new()
    {
        Name = Name,
        IsChild = IsChild,
        Region = Region,
        First = first,
        Count = count,
        Device = Device,
        Value = Value,
        Slot = Slot,
        Kind = Kind,
        Access = Access,
        Manner = Manner,
        Failing = fails ? Failing : null,
        FailingFrom = FailingFrom,
    };
}
