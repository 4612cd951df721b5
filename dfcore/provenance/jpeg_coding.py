"""How a JPEG was last saved, by its quantisation tables: only families whose tables are published are named.

Sources: ITU-T T.81 Annex K for libjpeg; Pillow's `JpegPresets` for Photoshop; N. Robidoux's table, which mozjpeg uses
by default. Scaling by quality is libjpeg's (`jpeg_quality_scaling`).
"""

from functools import cache

from PIL import JpegPresets

from dfcore.provenance.evidence import JpegCoding

UNKNOWN = "unknown tables"
_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
_CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
)  # fmt: skip
_ROBIDOUX = (
    16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135,
    18, 27, 31, 40, 53, 74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238,
    56, 53, 91, 106, 131, 169, 226, 311, 85, 75, 135, 156, 189, 238, 311, 418,
)  # fmt: skip
_PHOTOSHOP = {
    "web_low": "Photoshop, Save for Web, Low", "web_medium": "Photoshop, Save for Web, Medium",
    "web_high": "Photoshop, Save for Web, High", "web_very_high": "Photoshop, Save for Web, Very High",
    "web_maximum": "Photoshop, Save for Web, Maximum", "low": "Photoshop, Low", "medium": "Photoshop, Medium",
    "high": "Photoshop, High", "maximum": "Photoshop, Maximum",
}  # fmt: skip
_SUBSAMPLINGS = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1"}
# Mean relative distance to libjpeg's table above which no quality on its scale describes a table.
_FAR = 0.35
_Table = tuple[int, ...]


def coding(tables: dict[int, list[int]], sampling: list[tuple[int, int]]) -> JpegCoding | None:
    """How a JPEG was coded; None without tables.

    Args:
        tables: Quantisation tables in natural order, 64 values each, by number.
        sampling: Horizontal and vertical sampling factors of the components.
    """
    found = [tuple(tables[number]) for number in sorted(tables)]
    if not found:
        return None
    luma, chroma = found[0], found[1] if len(found) > 1 else None
    quality, distance = _nearest(luma)
    ratio = ""
    if len(sampling) >= 3 and sampling[1] == sampling[2] and all(sampling[1]):
        (a, b), (c, d) = sampling[:2]
        ratio = _SUBSAMPLINGS.get((a // c, b // d), "other")
    name = _encoder(luma, chroma)
    return JpegCoding(quality if distance <= _FAR else None, name or UNKNOWN, bool(name), ratio)


def _encoder(luma: _Table, chroma: _Table | None) -> str | None:
    if set(luma) | set(chroma or ()) == {1}:
        return "tables of ones, which many programs write at their highest quality"
    standard = _quality_of(luma, _LUMINANCE)
    if standard and chroma is None:
        return f"libjpeg's standard table, quality {standard}"
    if standard and chroma:
        other = _quality_of(chroma, _CHROMINANCE)
        if other == standard:
            return f"libjpeg's standard tables, quality {standard}"
        if other:
            return f"libjpeg's standard tables, quality {standard} for brightness and {other} for colour"
        if chroma == luma:
            return f"libjpeg's standard table for brightness, quality {standard}, for all components"
    robidoux = _quality_of(luma, _ROBIDOUX)
    if robidoux and chroma in (None, luma):
        return f"mozjpeg's default table, quality {robidoux}"
    for key, name in _PHOTOSHOP.items():
        preset = [tuple(table) for table in JpegPresets.presets[key]["quantization"]]  # type: ignore[attr-defined]  # no stub
        if luma == preset[0] and chroma in (None, preset[1]):
            return name
    return None


@cache
def _scaled(base: _Table, quality: int) -> _Table:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return tuple(min(max((value * scale + 50) // 100, 1), 255) for value in base)


def _quality_of(table: _Table, base: _Table) -> int | None:
    """The quality at which libjpeg makes exactly this table of a base table; the highest of several."""
    return next((quality for quality in range(100, 0, -1) if _scaled(base, quality) == table), None)


def _nearest(table: _Table) -> tuple[int, float]:
    """The quality whose standard luminance table is nearest, and the mean relative difference to it."""

    def distance(quality: int) -> float:
        base = _scaled(_LUMINANCE, quality)
        return sum(abs(a - b) / max(a, b, 1) for a, b in zip(table, base, strict=True)) / 64

    best = min(range(100, 0, -1), key=distance)
    return best, distance(best)
