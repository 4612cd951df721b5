"""What the walker does with each kind of control, and the files that it uploads."""

import random
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from PIL import Image

from dashboard.navigation import names
from dfcore.datasets.demo import sample_images
from tests.e2e.monkey_elements import Element, Step, find
from tests.e2e.server import settle

PAGES = ["", *(name for name in names() if name != "home")]
_TEXTS = (
    "", " ", "a", "promoted", "second", "0", "..", "/", "~/unknown", "~/data/demo", "~/deleted",
    "~/data/registered.json", "~/damaged/test", "name with spaces", "<b>x</b> [l](http://e.example) `c` $x$ :red[y]",
    "漢字 é \N{GRINNING FACE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc", "x" * 400, "label=1", "*.png", "((",
)  # fmt: skip
_NUMBERS = ("", "0", "1", "2", "3", "-1", "0.5", "1e-9", "7", "64", "100000000000000", "-", "1e400")
_KEYS = ("Home", "End", "ArrowLeft", "ArrowRight", "PageUp", "PageDown")
_GONE = (
    "monitor?run=20200101-000000-000-cnn", "monitor?run=", "monitor?run=%3Cscript%3E&run=b", "monitor?overlay=gone",
    "evaluate?detector=run:20200101-000000-000-cnn", "evaluate?detector=nobody&split=nothing&threshold=7",
    "evaluate?threshold=abc", "evaluate?detector=promoted&split=test&threshold=0.25", "evaluate?split=", "no-such-page",
    "evaluate?detector=small&threshold=0.9&threshold=0.1", "inspect?detector=nobody", "inspect?detector=..%2F..%2Fetc",
    "datasets?dataset=%2Fgone", "train?dataset=%2Fgone&run=gone", "models?detector=gone", "?detector=%00",
    "cases?case=999", "cases?case=1", "cases?case=-1", "cases?case=%3Cb%3E", "cases?picture=gone", "cases?view=nothing",
    "cases?view=log&case=2", "cases?picture=gone&beside=gone&case=1",
    "batch?batch=gone", "batch?batch=..%2F..%2Fetc", "batch?found=gone&lowest=7&at=-1&order=x&by=nobody",
    "video?film=gone&at=x", "video?at=-1", "video?at=999999&film=..%2Fetc",
    "inspect?batch=gone&row=1", "inspect?batch=20260101-000001-000-batch&row=999999", "inspect?batch=&row=",
)  # fmt: skip
_BENT = ("", "gone", "-1", "1e400", "..", "x" * 300, "é", "null", "[]", "1")
_UPLOAD_SECONDS = 60


def draw(element: Element, random_: random.Random, files: list[str]) -> str:
    """Chooses the value that a control is given."""
    if element.kind in ("button", "other"):
        return random_.choice(("once", "twice"))
    if element.kind in ("select", "chart", "grid"):
        return f"{random_.random():.2f} {random_.random():.2f}"
    if element.kind == "upload":
        return ";".join(random_.sample(files, random_.choice((1, 1, 1, 2, 4))))
    values = {"text": _TEXTS, "number": _NUMBERS, "slider": _KEYS}.get(element.kind, ("",))
    return random_.choice(values)


def draw_move(kind: str, random_: random.Random) -> str:
    """Chooses the value of a step that needs no control."""
    return random_.choice({"gone": _GONE, "bend": _BENT}.get(kind, ("",)))


class Hand:
    """Takes steps in the browser.

    Args:
        context: The browser's context; each tab is a page of it.
        address: The dashboard's address.
        workspace: Folder that "~" stands for in texts.
        files: Folder of files to upload.
        opened: Called with each new tab.
    """

    def __init__(self, context: Any, address: str, workspace: Path, files: Path, opened: Callable[[Any], None]):
        self.context, self.address, self.workspace, self.files, self.opened = context, address, workspace, files, opened
        self.tabs: dict[int, Any] = {}

    def tab(self, number: int) -> Any:
        """The tab of this number; opened at the start page where there is none yet."""
        if number not in self.tabs:
            page = self.tabs[number] = self.context.new_page()
            page.set_default_timeout(30_000)
            self.opened(page)
            page.goto(self.address)
            settle(page)
        return self.tabs[number]

    def take(self, step: Step) -> bool:
        """Takes a step, without waiting for what comes of it; returns whether what it needs was there."""
        page = self.tab(step.tab)
        if step.do in _MOVES:
            _MOVES[step.do](self, page, step.value)
            if step.do == "back" and page.url == "about:blank":  # Before the tab's first page there is nothing.
                page.goto(self.address)
            return True
        place = find(page, Element(step.do, step.label, step.nth), self.workspace)
        if place is None:
            return False
        _DOES.get(step.do, _click)(self, place, step.value)
        return True

    def visit(self, page: Any, value: str) -> None:
        """Opens an address below the dashboard's."""
        page.goto(f"{self.address}/{value}")

    def bend(self, page: Any, value: str) -> None:
        """Opens the present address with another value of each query parameter."""
        parts = urlsplit(page.url)
        query = urlencode([(name, value) for name, _ in parse_qsl(parts.query)])
        page.goto(f"{self.address}{parts.path}?{query}")

    def close(self, page: Any, _: str) -> None:
        """Closes a tab; the next step in it opens it again."""
        self.tabs = {number: other for number, other in self.tabs.items() if other is not page}
        page.close()


_MOVES: dict[str, Callable[[Hand, Any, str], object]] = {
    "open": Hand.visit,
    "gone": Hand.visit,
    "bend": Hand.bend,
    "close": Hand.close,
    "back": lambda _, page, __: page.go_back(),
    "forward": lambda _, page, __: page.go_forward(),
    "reload": lambda _, page, __: page.reload(),
    "escape": lambda _, page, __: page.keyboard.press("Escape"),
}
MOVES = list(_MOVES)


def _click(_: Hand, place: Any, value: str) -> None:
    place.scroll_into_view_if_needed()
    place.click(click_count=2 if value == "twice" else 1, delay=20)


def _select(_: Hand, place: Any, value: str) -> None:
    place.click()
    options = place.page.get_by_role("option")
    place.page.wait_for_timeout(300)
    count = options.count()
    if count:
        options.nth(int(float(value.split()[0]) * count)).click()
    place.page.keyboard.press("Escape")


def _type(hand: Hand, place: Any, value: str) -> None:
    place.click()
    place.press("ControlOrMeta+a")
    place.press("Delete")
    place.press_sequentially(value.replace("~", str(hand.workspace), 1) if value.startswith("~/") else value)
    place.press("Tab")


def _slide(_: Hand, place: Any, value: str) -> None:
    place.focus()
    for _turn in range(3):
        place.press(value)


def _upload(hand: Hand, place: Any, value: str) -> None:
    chosen = [hand.files / name for name in value.split(";")]
    place.set_input_files(chosen if place.get_attribute("multiple") is not None else chosen[:1])


def _download(_: Hand, place: Any, __: str) -> None:
    with place.page.expect_download(timeout=_UPLOAD_SECONDS * 1000) as waiting:
        place.click()
    waiting.value.path()


def _point(_: Hand, place: Any, value: str) -> None:
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    x, y = (float(part) for part in value.split())
    place.page.mouse.move(box["x"] + x * box["width"] - 3, box["y"] + y * box["height"])
    place.page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


_DOES: dict[str, Callable[[Hand, Any, str], None]] = {
    "select": _select,
    "number": _type,
    "text": _type,
    "slider": _slide,
    "upload": _upload,
    "download": _download,
    "chart": _point,
    "grid": _point,
}


def make_files(folder: Path) -> list[str]:
    """Writes files to upload, sound and broken; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    name, photograph = next(iter(sample_images().items()))
    picture = Image.open(BytesIO(photograph)).convert("RGB")
    frames = [picture.rotate(90 * turn).resize((64, 64)) for turn in range(3)]
    picture.save(folder / "photograph.jpg", quality=85)
    picture.resize((40, 30)).save(folder / "tiny.webp")
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    jpeg = (folder / "photograph.jpg").read_bytes()
    written = {
        name: photograph,
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "empty.png": b"",
        "text.png": b"not an image",
        "archive.zip": _archive({"card.json": b"{}", "../out.txt": b"x"}),
        "no-archive.zip": b"PK",
        "a name <b>that<i> [is](odd) `é`.png": photograph,
        "table.csv": b"path,label\nx.png,1\n",
    }
    for file, content in written.items():
        (folder / file).write_bytes(content)
    return sorted(file.name for file in folder.iterdir())


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
