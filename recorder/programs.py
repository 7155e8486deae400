#!/usr/bin/env python3
"""Writes random programs to be recorded: programs.py KIND FIRST-SEED COUNT [LINES]."""
import random
import sys

HMM_KINDS = ("private", "coherent", "huge", "pins", "pins-coherent")
RANGE_OPERATIONS = ("device-read", "migrate-to-device", "migrate-to-system", "make-exclusive", "check-exclusive", "snapshot")
WEIGHTS = {
    "cpu-write": 1500, "migrate-to-device": 1300, "device-write": 1100, "snapshot": 1050, "device-read": 1000, "cpu-read": 850,
    "migrate-to-system": 620, "pagemap": 540, "make-exclusive": 520, "protect": 420, "dontneed": 300, "unmap": 300, "pin": 280,
    "populate-write": 200, "move": 200, "check-exclusive": 200, "fork": 150, "unpin": 60,
}
PIN_WEIGHTS = {"long-pin": 1183, "long-pin-read": 1018, "long-unpin": 705}
CHILD_WEIGHTS = {
    "cpu-write": 1406, "migrate-to-device": 1122, "device-write": 1039, "snapshot": 995, "device-read": 932, "cpu-read": 734,
    "migrate-to-system": 606, "make-exclusive": 512, "pagemap": 510, "check-exclusive": 226, "exit": 500,
}
IO_WEIGHTS = {
    "map": 5400, "unmap": 2650, "copy": 1950, "pins": 1251, "attach": 990, "allow": 780, "ranges": 755, "access-pin": 700,
    "translate": 600, "access": 550, "reserve": 530, "cpu-read": 517, "space": 500, "destroy": 330, "access-write": 300,
    "access-read": 280, "detach": 163, "access-unpin": 150,
}
DMA_BUF_WEIGHTS = {
    "advance": 5600, "fence": 5100, "info": 5200, "import-fence": 2900, "timeline": 2300, "wait": 2600, "merge": 2200, "ready": 2150,
    "udmabuf": 3200, "close-fence": 1350, "export-fence": 1250, "close-timeline": 940, "mmap": 830, "cpu-access": 820, "heap": 680,
    "close-buffer": 450, "seek": 430,
}


def leaning(rng, weights):
    """Every second operation is more or less frequent than usual, in each program others."""
    return {name: weight * (rng.choice((0.3, 1, 1, 3)) if rng.random() < 0.5 else 1) for name, weight in weights.items()}


def draw(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


class HmmProgram:
    """Regions A, B and C; every third program keeps to their first pages, so that its operations meet."""

    def __init__(self, kind, seed):
        self.rng = random.Random(f"{kind}/{seed}")
        self.is_huge = kind == "huge"
        self.devices = (2, 3) if "coherent" in kind else (0, 1)
        self.is_narrow = self.rng.random() < 0.3 and not self.is_huge
        weights = WEIGHTS | (PIN_WEIGHTS if kind.startswith("pins") else {})
        if self.is_huge:
            weights = {name: weight for name, weight in weights.items() if not name.endswith("pin")}
        self.weights = leaning(self.rng, weights)
        self.sizes = {}
        self.mapped = set()
        self.has_child = False

    def range(self, region):
        rng, size = self.rng, self.sizes[region]
        if self.is_narrow:
            first = rng.randrange(min(size, 4))
            return first, rng.randint(1, min(size, 4) - first)
        if self.is_huge and rng.random() < 0.25:
            first = rng.choice((0, 512)) % size
            return first, 512
        first = rng.randrange(size)
        most = size - first
        if rng.random() < 0.6:
            most = min(most, rng.choice((1, 2, 3, 5, 8, 20)) * (30 if self.is_huge and rng.random() < 0.5 else 1))
        return first, rng.randint(1, most)

    def map(self, region):
        rng = self.rng
        pages = rng.choice((512, 1024)) if self.is_huge else rng.randint(4, 32)
        access = rng.choices(("rw", "r-", "--"), (53, 10, 9))[0]
        kind = rng.choices(("anon", "file-private", "file-shared", "shared-anon"), (50, 8, 7, 7))[0]
        if self.is_huge and rng.random() < 0.4:
            access, kind = "rw", "anon"
        self.sizes[region] = pages
        self.mapped.add(region)
        return f"map {region} {pages} {access} {kind}"

    def line(self, value):
        rng = self.rng
        missing = [region for region in "ABC" if region not in self.mapped]
        if not self.sizes or missing and rng.random() < (0.6 if len(self.sizes) < 3 else 0.15):
            return self.map(rng.choice(missing))
        region = rng.choice(list(self.sizes))
        first, pages = self.range(region)
        where = f"{region} {first} {pages}"
        if self.has_child and rng.random() < 0.4:
            operation = draw(rng, CHILD_WEIGHTS)
            if operation == "exit":
                self.has_child = False
                return "child exit"
            return "child " + self.operation(operation, region, first, where, value)
        operation = draw(rng, self.weights)
        if operation == "fork":
            if self.has_child:
                return None
            self.has_child = True
        if operation == "unmap" and rng.random() < 0.6:
            self.mapped.discard(region)
            where = f"{region} 0 {self.sizes[region]}"
        return self.operation(operation, region, first, where, value)

    def operation(self, operation, region, first, where, value):
        rng = self.rng
        device = rng.choice(self.devices)
        if operation in RANGE_OPERATIONS:
            return f"{operation} {device} {where}"
        return {
            "device-write": f"device-write {device} {where} {value}",
            "cpu-write": f"cpu-write {region} {first} {value}",
            "cpu-read": f"cpu-read {region} {first}",
            "protect": f"protect {where} {rng.choice(('rw', 'rw', 'r-', '--'))}",
            "move": f"move {region}",
            "pin": f"pin {rng.randrange(4)} {where}",
            "unpin": f"unpin {rng.randrange(4)}",
            "long-pin": f"long-pin {where} {rng.choice(('read', 'write'))} {rng.choice(('fast', 'slow'))}",
            "fork": "fork", "long-pin-read": "long-pin-read", "long-unpin": "long-unpin",
        }.get(operation, f"{operation} {where}")

    def lines(self, count):
        value = 0
        made = []
        while len(made) < count:
            value += self.rng.randint(1, 5)
            line = self.line(value)
            made += [line] if line else []
        return made + (["child exit"] if self.has_child else [])


class IommufdProgram:
    """Three spaces; most addresses lie near one place, and three in four that are asked for were mapped before."""

    def __init__(self, seed):
        self.rng = random.Random(f"iommufd/{seed}")
        self.weights = leaning(self.rng, IO_WEIGHTS)
        self.near = self.rng.choice((0, 0x1000000, 0x1000000, 0x40000000, 0x80000000, 0xFFFF0000))
        self.known = ([], [], [])

    def address(self):
        rng = self.rng
        base = self.near if rng.random() < 0.85 else rng.choice((0, 0x1000000, 0x40000000, 0x7FFF0000, 0x80000000, 2**64 - 0x40000))
        return base + rng.randrange(0x26) * 0x1000 + (rng.choice((0x200, 0x400, 0x800, 0xC00)) if rng.random() < 0.1 else 0)

    def length(self):
        rng = self.rng
        return rng.randint(1, 10) * 0x1000 - (rng.choice((0x200, 0x400, 0x800, 0xC00)) if rng.random() < 0.08 else 0)

    def mapped(self, space):
        rng, known = self.rng, self.known[space]
        if not known or rng.random() < 0.25:
            return self.address(), self.length()
        start, length = rng.choice(known)
        how = rng.random()
        if how < 0.6:
            return start, length
        if how < 0.8 and length >= 0x2000:
            offset = rng.randrange(1, length // 0x1000) * 0x1000
            return start + offset, max(0x1000, length - offset)
        return start, min(length + 0x1000 * rng.randint(0, 6), 0xB000)

    def place(self, space, length, fixed):
        if self.rng.random() < fixed:
            at = self.address()
            self.known[space].append((at, length))
            return f"at={at:#x}"
        self.known[space].append((self.rng.choice((0x1000, 0x2000, 0x8000, 0x1001000, 0x1008000)), length))
        return "at=any"

    def line(self):
        rng = self.rng
        space = rng.randrange(3)
        operation = draw(rng, self.weights)
        if operation in ("pins", "cpu-read"):
            return f"{operation} {rng.randrange(64)}"
        if operation == "map":
            user = rng.randrange(64) * 0x1000 + (rng.choice((0x200, 0x400, 0x800)) if rng.random() < 0.04 else 0)
            length = self.length()
            access = rng.choices(("rw", "r-", "-w", "--"), (70, 22, 4, 2))[0]
            return f"map {space} {self.place(space, length, 0.5)} user={user:#x} length={length:#x} {access}"
        if operation == "copy":
            start, length = self.mapped(space)
            target = rng.randrange(3)
            access = rng.choices(("rw", "r-"), (80, 20))[0]
            return f"copy {space} {target} from={start:#x} length={length:#x} {self.place(target, length, 0.4)} {access}"
        if operation == "unmap":
            start, length = self.mapped(space)
            if rng.random() < 0.08:
                start, length = rng.choice(((0, 2**64 - 1), (self.address(), 2**64 - 1), (0, 0)))
            return f"unmap {space} iova={start:#x} length={length:#x}"
        if operation == "allow":
            starts = [self.address() & ~0xFFF for _ in range(rng.choice((0, 0, 0, 1, 1, 2, 3)))]
            return f"allow {space} " + (",".join(f"{at:#x}-{at + rng.randint(1, 0x20) * 0x1000 - 1:#x}" for at in starts) or "nothing")
        if operation == "reserve":
            return f"reserve {space} {self.address():#x} length={self.length():#x}"
        start, length = self.mapped(space)
        if operation == "translate":
            return f"translate {space} {(start + rng.randrange(max(1, length // 0x1000)) * 0x1000) & ~0x7FF:#x}"
        if operation == "access-pin":
            return f"access-pin {space} {rng.randrange(4)} iova={start:#x} length={length:#x} {rng.choice(('read', 'read', 'write'))}"
        if operation == "access-unpin":
            return f"access-unpin {space} {rng.randrange(4)}"
        if operation in ("access-read", "access-write"):
            value = f" value={rng.randrange(256)}" if operation == "access-write" else ""
            return f"{operation} {space} iova={start + rng.randrange(0x30):#x} length={rng.randint(1, max(2, length - 0x40))}{value}"
        return f"{operation} {space}"

    def lines(self, count):
        return [f"space {space}" for space in range(3)] + [self.line() for _ in range(count)]


class DmaBufProgram:
    """Three timelines, twelve fences, four buffers."""

    def __init__(self, seed):
        self.rng = random.Random(f"dma-buf/{seed}")
        self.weights = leaning(self.rng, DMA_BUF_WEIGHTS)

    def line(self):
        rng = self.rng
        operation = draw(rng, self.weights)
        timeline, fence, buffer = rng.randrange(3), rng.randrange(12), rng.randrange(4)
        late = rng.choice((2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1))
        return {
            "timeline": f"timeline {timeline}",
            "close-timeline": f"close-timeline {timeline}",
            "advance": f"advance {timeline} {rng.choice((0, 1, 2, 3)) if rng.random() < 0.97 else late}",
            "fence": f"fence {fence} {timeline} {rng.randrange(12) if rng.random() < 0.93 else late}",
            "merge": f"merge {fence} {rng.randrange(12)} {rng.randrange(12)}",
            "udmabuf": f"udmabuf {buffer} file-pages=6 seals={rng.choices(('shrink', 'none', 'shrink+write', 'shrink+grow'), (75, 17, 6, 2))[0]}"
            f" offset={rng.choices((0, 4096, 2048), (90, 5, 5))[0]} size={rng.randint(1, 8) * 4096 - rng.choices((0, 100), (95, 5))[0]}",
            "heap": f"heap {buffer} size={rng.randint(1, 8) * 4096 - rng.choices((0, 100), (90, 10))[0]} flags={rng.choices((0, 1), (88, 12))[0]}",
            "import-fence": f"import-fence {buffer} {fence} flags={rng.choices((1, 2, 3, 0, 4), (45, 45, 4, 3, 3))[0]}",
            "export-fence": f"export-fence {fence} {buffer} flags={rng.choices((1, 2, 3, 0, 4), (45, 45, 4, 3, 3))[0]}",
            "cpu-access": f"cpu-access {buffer} flags={rng.randrange(8) if rng.random() < 0.8 else rng.randrange(64)}",
            "mmap": f"mmap {buffer} pages={rng.randint(1, 8)} at={rng.randrange(5)}",
            "seek": f"seek {buffer} {rng.choice((0, 0, 0, rng.randint(-4, 4)))} {rng.choice((0, 1, 2, 2))}",
            "ready": f"ready {buffer}",
            "close-buffer": f"close-buffer {buffer}",
        }.get(operation, f"{operation} {fence}")

    def lines(self, count):
        return [self.line() for _ in range(count)]


def make(kind, seed):
    return IommufdProgram(seed) if kind == "iommufd" else DmaBufProgram(seed) if kind == "dma-buf" else HmmProgram(kind, seed)


def main():
    kinds = HMM_KINDS + ("iommufd", "dma-buf")
    if len(sys.argv) not in (4, 5) or sys.argv[1] not in kinds:
        sys.exit(f"{__doc__}\nKIND is one of {', '.join(kinds)}")
    kind, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    length = int(sys.argv[4]) if len(sys.argv) == 5 else 62 if kind in HMM_KINDS else 90
    for seed in range(first, first + count):
        print(f"program {seed} {kind}" if kind in HMM_KINDS else f"program {seed}")
        print("\n".join(make(kind, seed).lines(length)))
        print("end")


if __name__ == "__main__":
    main()
