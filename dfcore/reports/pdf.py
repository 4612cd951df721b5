"""A report as PDF, by typst, without a network and with typst's own fonts.

Texts reach typst as data, a JSON file that the template reads: nothing that a stranger wrote is ever part of a program.
"""

import io
import json
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image

from dfcore.errors import DfcoreError
from dfcore.reports.blocks import Block, Command, Facts, Grid, Items, Note, Part, Pictures, Report, Section, Shown, Text
from dfcore.reports.glyphs import ascii_alone, covered
from dfcore.reports.pictures import scale_bar
from dfcore.reports.words import MOST_TITLE, command, lines, visible
from dfcore.utils import extras
from dfcore.utils.texts import printable

_TEMPLATE = Path(__file__).with_name("template.typ")
# Archival, with tagged contents. It also makes typst refuse a page with a character that no font has.
_STANDARD: Final = "a-2a"
# Height and width of a picture at most, in centimetres.
_HIGHEST, _WIDEST = 9.5, 8.3
# Characters of a table that stays on one page.
_SHORT = 1500
# Share of the narrowest column of a table, where the widest has 48.
_NARROWEST = 18
_SPELLED = (
    "Characters that this PDF's fonts lack are written as their Unicode numbers, such as ⟨U+6F22⟩. The report in HTML "
    "shows them."
)


def require_typst() -> None:
    """Checks that PDFs can be made here.

    Raises:
        MissingExtraError: If not; the text states the command that installs what is missing.
    """
    extras.require("typst", "pdf", "A report in PDF")


def to_pdf(report: Report) -> bytes:
    """The report as PDF, the same bytes for the same report.

    Raises:
        MissingExtraError: If typst is not installed.
        DfcoreError: If typst fails.
    """
    require_typst()
    import typst

    for spelled in (covered, ascii_alone):
        try:
            return _compiled(report, _Drawn(spelled))
        except typst.TypstError as error:
            if "could not be displayed" not in str(error) or spelled is ascii_alone:
                raise DfcoreError(f"The PDF could not be made: {printable(error)[:500]}") from error
    raise AssertionError("unreachable")


def _compiled(report: Report, drawn: "_Drawn") -> bytes:
    import typst

    with tempfile.TemporaryDirectory(prefix="dfcore-report-") as folder:
        root = Path(folder)
        data = drawn.report(report)
        for name, content in drawn.files.items():
            (root / name).write_bytes(content)
        (root / "scale.png").write_bytes(scale_bar())
        (root / "report.json").write_text(json.dumps(data), encoding="utf-8")
        (root / "report.typ").write_bytes(_TEMPLATE.read_bytes())
        # Nothing outside of the folder can be read, and no package be loaded.
        compiler = typst.Compiler(
            str(root / "report.typ"), root=folder, ignore_system_fonts=True, package_path=folder,
            package_cache_path=folder,
        )  # fmt: skip
        made = int(datetime.fromisoformat(report.made).timestamp())
        result = compiler.compile(format="pdf", pdf_standards=[_STANDARD], timestamp=made)
        assert isinstance(result, bytes)
        return result


class _Drawn:
    """A report as plain data for the template.

    Attributes:
        files: Pictures by the names that the data give.
    """

    def __init__(self, spelled: Any):
        self._spelled = spelled
        self._lacking = False
        self.files: dict[str, bytes] = {}

    def report(self, report: Report) -> dict[str, Any]:
        """All of it."""
        parts = [self._part(part) for part in report.parts]
        made = datetime.fromisoformat(report.made)
        result = {
            "title": self._title(report.title), "id": report.id, "sha256": report.sha256, "made": report.made,
            "by": self._title(report.by), "tool": report.tool, "parts": parts,
            "date": [made.year, made.month, made.day, made.hour, made.minute, made.second],
        }  # fmt: skip
        return result | {"spelled": _SPELLED if self._lacking else ""}

    def _part(self, part: Part) -> dict[str, Any]:
        return {"title": self._title(part.title), "sections": [self._section(one) for one in part.sections]}

    def _section(self, one: Section) -> dict[str, Any]:
        return {"title": self._title(one.title), "level": one.level, "blocks": [self._block(b) for b in one.blocks]}

    def _block(self, block: Block) -> dict[str, Any]:
        text = self._text
        match block:
            case Text():
                return {"is": "text", "text": text(block.text), "kind": block.kind}
            case Items():
                return {"is": "items", "items": [text(item) for item in block.items]}
            case Facts():
                rows = [[text(cell) for cell in row] for row in block.rows]
                return {"is": "facts", "rows": rows, "exact": block.exact}
            case Grid():
                rows = [[text(cell) for cell in row] for row in block.rows]
                head = [text(title) for title in block.head]
                short = sum(len(cell) for row in rows for cell in row) < _SHORT
                return {"is": "grid", "head": head, "rows": rows, "exact": block.exact, "short": short,
                        "widths": _widths(head, rows)}  # fmt: skip
            case Pictures():
                return {"is": "pictures", "shown": [self._shown(one) for one in block.shown]}
            case Command():
                return {"is": "command", "text": command(block.arguments, lambda one: text(one) == one)}
            case Note():
                said = [self._spell(line) for line in lines(block.text)]
                return {"is": "note", "lines": said, "about": text(block.about)}

    def _shown(self, one: Shown) -> dict[str, Any]:
        name = f"picture-{len(self.files)}.{one.kind}"
        self.files[name] = one.data
        width, height = _size(one.data)
        scale = [self._text(word) for word in one.scale] if one.scale else []
        return {"file": name, "width": width, "height": height, "alt": self._title(one.alt) or "A picture",
                "caption": self._text(one.caption), "scale": scale}  # fmt: skip

    def _title(self, value: object) -> str:
        return self._spell(visible(value, MOST_TITLE))

    def _text(self, value: object) -> str:
        return self._spell(visible(value))

    def _spell(self, text: str) -> str:
        spelled = str(self._spelled(text))
        self._lacking |= spelled != text
        return spelled


def _size(data: bytes) -> tuple[float, float]:
    """Width and height of a picture on the page in centimetres, without enlarging small ones much."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    scale = min(_WIDEST / width, _HIGHEST / height)
    return round(width * scale, 3), round(height * scale, 3)


def _widths(head: list[str], rows: list[list[str]]) -> list[int]:
    """Shares of a table's width for its columns, by how much stands in them."""
    longest = [max([len(title), *(len(row[n]) for row in rows)]) for n, title in enumerate(head)]
    return [max(_NARROWEST, min(length, 48)) for length in longest]
