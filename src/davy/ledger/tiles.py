"""Tiles: a log as files that any web server can hand out (C2SP tlog-tiles).

Of every eighth level of the tree, each 256 hashes are a file `tile/<level>/<index>`, and each 256 entries one
`tile/entries/<index>`, every entry after its length in two bytes. What has fewer says so in its name:
`tile/0/001.p/112`. A full file never changes. With the signed `checkpoint` beside them, they are the whole log.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from davy.ledger.lines import Malformed, number
from davy.ledger.tree import Hashes

WIDTH = 256
"""How many hashes or entries a full file has."""

ENTRIES = -1
"""What stands for the level of a file that holds entries."""

Bodies = Callable[[int, int], list[bytes]]
"""Answers (start, end) with the bytes of the entries from start up to end."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A file of a log.

    Args:
        level: of tiles, so that its hashes are of subtrees of 256^level entries; or `ENTRIES`.
        index: which one of its level.
        width: how many hashes or entries it has.
    """

    level: int
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        digits = f"{self.index:03d}"
        digits = digits.zfill((len(digits) + 2) // 3 * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        path = "/".join(["tile", level, *(f"x{group}" for group in groups[:-1]), groups[-1]])
        return path if self.width == WIDTH else f"{path}.p/{self.width}"


def tiles(size: int, before: int = 0) -> Iterator[Tile]:
    """Yield the files of a log of a size, entries first; only what is new since it had another size.

    Args:
        size: how many entries it has.
        before: how many it had when it was written last.
    """
    levels = [ENTRIES, *range((max(size, 1).bit_length() - 1) // 8 + 1)]
    for level in levels:
        shift = 8 * max(level, 0)
        width, old = size >> shift, before >> shift
        if width > old:
            for index in range(old // WIDTH, (width + WIDTH - 1) // WIDTH):
                yield Tile(level, index, min(WIDTH, width - index * WIDTH))


def contents(tile: Tile, hashes: Hashes, bodies: Bodies) -> bytes:
    """Return what is in a file."""
    start, end = tile.index * WIDTH, tile.index * WIDTH + tile.width
    if tile.level != ENTRIES:
        return b"".join(hashes(8 * tile.level, start, end))
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies(start, end))


def parse_path(path: str) -> Tile:
    """Read the path of a file, relative to the log.

    Raises:
        Malformed: it is none, or another spelling of one.
    """
    found = None
    parts = path.split("/")
    if len(parts) >= 3 and parts[0] == "tile":
        level = ENTRIES if parts[1] == "entries" else number(parts[1] or "-", f"the level in {path}")
        width = WIDTH
        if parts[-2].endswith(".p"):
            width = number(parts[-1] or "-", f"the width in {path}")
            parts = [*parts[:-2], parts[-2].removesuffix(".p")]
        digits = "".join(part.removeprefix("x") for part in parts[2:]).lstrip("0") or "0"
        found = Tile(level, number(digits, f"the index in {path}"), width)
    if found is None or found.path != path or not 0 < found.width <= WIDTH or found.level > 63:
        raise Malformed(f"{path} is no path of a tile")
    return found


def parse_hashes(data: bytes, width: int) -> list[bytes]:
    """Read a file of hashes.

    Raises:
        Malformed: it has another length.
    """
    if len(data) != 32 * width:
        raise Malformed(f"a tile of {width} hashes has {32 * width} bytes, and this one has {len(data)}")
    return [data[at : at + 32] for at in range(0, len(data), 32)]


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """Read a file of entries.

    Raises:
        Malformed: it does not end where its last entry ends.
    """
    entries, at = [], 0
    while at + 2 <= len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != width:
        raise Malformed(f"this is no bundle of {width} entries: it ends within one, or has more or fewer")
    return entries
