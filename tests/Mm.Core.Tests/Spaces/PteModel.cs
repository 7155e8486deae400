using Mm.Core.Spaces;

namespace Mm.Core.Tests.Spaces;

/// <summary>An entry as a record of facts, with every transition written out plainly: what the packed one must agree with.</summary>
internal sealed record PteModel(PteKind Kind, ulong Number)
{
    internal bool Usable { get; init; }

    internal bool Write { get; init; }

    internal bool Dirty { get; init; }

    internal bool Accessed { get; init; }

    internal bool Exclusive { get; init; }

    internal bool Soft { get; init; }

    internal bool Special { get; init; }

    internal bool Large { get; init; }

    internal bool Zero { get; init; }

    private bool IsLegal => Kind switch
    {
        PteKind.None => this == new PteModel(PteKind.None, 0),
        PteKind.Marker => Number is 1 or 2 or 3 && this == new PteModel(Kind, Number),
        PteKind.Table => this == new PteModel(Kind, Number),
        PteKind.HwPoison => this == new PteModel(Kind, Number) { Soft = Soft },
        PteKind.DeviceExclusive => this == new PteModel(Kind, Number) { Soft = Soft, Write = Write, Exclusive = Exclusive },
        PteKind.DevicePrivate => LargeFits && this == new PteModel(Kind, Number) { Soft = Soft, Write = Write, Exclusive = Exclusive, Large = Large },
        PteKind.Migration => LargeFits && !Usable && !Special && !Zero && !(Write && Exclusive),
        _ => LargeFits && (Usable || !Write) && !(Exclusive && (Special || Zero)) && !(Zero && (Special || Write)),
    };

    private bool LargeFits => !Large || Number % 512 == 0;

    internal static PteModel Of(Pte entry) => Decode(entry.Bits >> 60, (entry.Bits >> 12) & 0xff_ffff_ffff, entry.Bits & 511)!;

    internal static PteModel? Decode(ulong kind, ulong number, ulong flags)
    {
        var model = new PteModel((PteKind)kind, number)
        {
            Usable = (flags & 1) != 0,
            Write = (flags & 2) != 0,
            Dirty = (flags & 4) != 0,
            Accessed = (flags & 8) != 0,
            Exclusive = (flags & 16) != 0,
            Soft = (flags & 32) != 0,
            Special = (flags & 64) != 0,
            Large = (flags & 128) != 0,
            Zero = (flags & 256) != 0,
        };
        return model.IsLegal ? model : null;
    }

    /// <summary>The entry after a transition, or null when it has none of that name.</summary>
    internal PteModel? Apply(string transition) => transition switch
    {
        "mksoft" => Kind is PteKind.None or PteKind.Marker ? this : this with { Soft = true },
        "clearsoft" => Kind is PteKind.None or PteKind.Marker ? this : this with { Soft = false },
        "migrate" => Migrate(),
        "restore-anon" => Restore(isAnonymous: true),
        "restore-file" => Restore(isAnonymous: false),
        "mistake" => Mistake(isUsable: true),
        "mistake-closed" => Mistake(isUsable: false),
        "to-device" => Kind != PteKind.Migration
            ? null
            : new PteModel(PteKind.DevicePrivate, 512) { Write = Write, Exclusive = Write || Exclusive, Soft = Soft, Large = Large },
        "readable" => Kind is PteKind.Migration or PteKind.DevicePrivate or PteKind.DeviceExclusive
            ? this with { Write = false, Exclusive = false }
            : null,
        "readable-exclusive" => Kind == PteKind.Migration && Write ? this with { Write = false, Exclusive = true } : null,
        "exclusive" => Kind is PteKind.Present or PteKind.DevicePrivate or PteKind.DeviceExclusive && !Special && !Zero
            ? this with { Exclusive = true }
            : null,
        "shared" => Kind is PteKind.Present or PteKind.DevicePrivate or PteKind.DeviceExclusive ? this with { Exclusive = false } : null,
        "mkhuge" => (this with { Large = true }) is { IsLegal: true } large ? large : null,
        "split" => Large ? this with { Large = false, Number = Number + 511 } : null,
        _ => Kind == PteKind.Present ? OfPresent(transition) : null,
    };

    private PteModel? OfPresent(string transition) => transition switch
    {
        "none" => this with { Usable = false, Write = false },
        "read" => this with { Usable = true, Write = false },
        "read-write" => Zero ? null : this with { Usable = true, Write = true },
        "mkwrite" => Usable && !Zero ? this with { Write = true } : null,
        "wrprotect" => this with { Write = false },
        "mkdirty" => this with { Dirty = true, Soft = true },
        "mkclean" => this with { Dirty = false },
        "mkyoung" => this with { Accessed = true },
        "mkold" => this with { Accessed = false },
        "mkspecial" => Zero || Exclusive ? null : this with { Special = true },
        "to-exclusive" => Large || Special || Zero
            ? null
            : new PteModel(PteKind.DeviceExclusive, Number) { Write = Write, Exclusive = Exclusive, Soft = Soft },
        _ => throw new ArgumentException(transition, nameof(transition)),
    };

    private PteModel? Migrate() =>
        (Kind == PteKind.Present && !Special && !Zero) || Kind == PteKind.DevicePrivate
            ? this with { Kind = PteKind.Migration, Usable = false, Exclusive = Exclusive && !Write }
            : null;

    private PteModel? Mistake(bool isUsable) => Kind == PteKind.DeviceExclusive
        ? new PteModel(PteKind.Present, Number) { Usable = isUsable, Exclusive = true, Soft = Soft }
        : null;

    private PteModel? Restore(bool isAnonymous) => Kind switch
    {
        PteKind.Migration => this with { Kind = PteKind.Present, Number = 512, Usable = true, Exclusive = isAnonymous && (Write || Exclusive) },
        PteKind.DeviceExclusive => this with { Kind = PteKind.Present, Number = 512, Usable = true, Dirty = Write, Soft = Soft || Write },
        _ => null,
    };
}
