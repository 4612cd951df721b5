"""What hostile images do to the workbench: `python -m benchmarks.hostile [--out benchmarks/results/hostile.txt]`.

Writes the corpus of `tests/security/hostile_images.py` into a folder, lets `dfcore predict` judge it all, then hands
every file to Inspect, one at a time, as somebody who uploads them would. Ends with 1 where a file is missing from the
answers, has no reason, kept anybody waiting for longer than it may, or where the memory of all processes together
went too high.
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
MOST_SECONDS = 5.0
# Of all processes together; in Inspect with the tower of the photograph detector and its heat-maps.
MOST_BYTES = {"CLI": 1.5e9, "Inspect": 1.9e9}
# Exit code of `dfcore predict` where a file has no verdict.
LEFT_OUT = 3


@dataclass
class Seen:
    """What one way of handing the corpus in showed.

    Attributes:
        way: "CLI" or "Inspect".
        verdicts, refused: how many files got a verdict, and how many a reason instead.
        wrong: what should not be, in words.
        slowest: processor seconds and name of the slowest files.
        peak: bytes of memory of all processes together.
    """

    way: str
    verdicts: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)
    peak: int = 0
    seconds: float = 0.0


class Memory:
    """Watches the memory of a process and its children.

    A child that was started a moment ago and does not run its own program yet has its parent's memory, which would
    count twice: it still has its parent's command line.
    """

    def __init__(self, pid: int):
        self.process, self.peak, self._over = psutil.Process(pid), 0, threading.Event()
        self._command = self.process.cmdline()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            try:
                held = sum(self._held(one) for one in self.process.children(recursive=True))
                self.peak = max(self.peak, held + self.process.memory_info().rss)
            except psutil.Error:
                continue

    def _held(self, child: psutil.Process) -> int:
        try:
            # Asked in this order: what runs its own program by then has memory of its own.
            return 0 if child.cmdline() == self._command else child.memory_info().rss
        except psutil.Error:
            return 0


def write_corpus(folder: Path) -> dict[str, str]:
    """Writes the files; {path within the folder: what is expected of it}. Names that are no image's get a folder."""
    from tests.security.hostile_images import corpus

    expected = {}
    for number, one in enumerate(corpus()):
        place = folder / f"{number:05d}"
        place.mkdir(parents=True)
        # A name as long as the file system allows leaves no room for more.
        (place / one.name).write_bytes(one.data)
        expected[f"{number:05d}/{one.name}"] = one.expect
    return expected


def through_cli(folder: Path, expected: dict[str, str], models: Path) -> Seen:
    """`dfcore predict` over the whole folder."""
    from dfcore.imaging.decoder import SUFFIXES
    from dfcore.utils.texts import storable

    seen, out = Seen("CLI"), folder.parent / "verdicts.jsonl"
    command = [sys.executable, "-m", "dfcore", "predict", "faces", str(folder), "--out", str(out)]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               env=os.environ | {"DFCORE_MODELS": str(models)})  # fmt: skip
    with Memory(process.pid) as memory:
        text = process.communicate()[1].decode(errors="replace")
    seen.seconds, seen.peak = time.monotonic() - began, memory.peak
    # Files that are hidden or no pictures are left out, and told by the code.
    if process.returncode not in (0, LEFT_OUT) or "Traceback" in text:
        seen.wrong.append(f"exit code {process.returncode}: {text[-500:]}")
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.is_file() else []
    result = {row["path"] for row in rows}
    for name in expected:
        path = folder / name
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and storable(path) not in result:
            seen.wrong.append(f"{name!r} is missing")
    for row in rows:
        seen.verdicts += row["error"] is None
        seen.refused += row["error"] is not None
        _judge(seen, expected, Path(row["path"]).relative_to(folder).as_posix(), row["error"])
    return seen


def _judge(seen: Seen, expected: dict[str, str], name: str, error: str | None) -> None:
    wanted = expected.get(name, "either")
    if error is not None and len(error.strip()) < 20:
        seen.wrong.append(f"{name!r}: no clear reason, {error!r}")
    if error is not None and Path(name).name.startswith(".") and error.startswith("Hidden by its name"):
        return
    if (wanted, error is None) in (("refused", True), ("accepted", False)):
        seen.wrong.append(f"{name!r} should be {wanted}: {error}")


def through_inspect(folder: Path, expected: dict[str, str], models: Path) -> Seen:
    """Inspect, a file at a time, in this process."""
    from streamlit.testing.v1 import AppTest

    from dashboard.uploads import Picture
    from dfcore.imaging import sandbox

    os.environ |= {"DFCORE_MODELS": str(models), "DFCORE_ROOTS": "/"}
    seen, began = Seen("Inspect"), time.monotonic()
    page = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
    page.switch_page("pages/inspect.py").run()
    page.selectbox(key="detector").set_value("faces").run()
    sandbox.check((ROOT / "docs/screenshots/home-light.png").read_bytes())
    with Memory(os.getpid()) as memory:
        for name in expected:
            data = (folder / name).read_bytes()
            if len(data) > 64 * 2**20:
                continue  # The server takes no upload of that size.
            before, start = _processor_seconds(), time.monotonic()
            page.session_state["inspect_images"] = [Picture(Path(name).name.encode("utf-8", "replace").decode(), data)]
            page.run()
            # On a busy machine only the processor's time tells how long somebody waits for the file's sake.
            spent = min(time.monotonic() - start, _processor_seconds() - before)
            seen.slowest = sorted([*seen.slowest, (spent, name)], reverse=True)[:5]
            texts = [error.value for error in page.error] + [word.value for word in page.markdown]
            if page.exception or any("in its log under reference" in text for text in texts):
                seen.wrong.append(f"{name!r}: an unforeseen error")
            refused = [error.value for error in page.error]
            seen.refused += bool(refused)
            seen.verdicts += not refused
            if refused and len(refused[0]) < 20:
                seen.wrong.append(f"{name!r}: no clear reason, {refused[0]!r}")
            if spent > MOST_SECONDS + 1:
                seen.wrong.append(f"{name!r} took {spent:.1f} s")
    seen.seconds, seen.peak = time.monotonic() - began, memory.peak
    return seen


def _processor_seconds() -> float:
    """Of this process and its children, those that have ended included."""
    own = psutil.Process()
    total = 0.0
    for one in (own, *own.children(recursive=True)):
        try:
            times = one.cpu_times()
            total += times.user + times.system
        except psutil.Error:
            continue
    ended = own.cpu_times()
    return total + ended.children_user + ended.children_system


def report(seen: Seen, families: int, files: int) -> list[str]:
    """The lines to print."""
    lines = [
        f"{seen.way}: {files} files of {families} families in {seen.seconds:.0f} s: {seen.verdicts} judged, "
        f"{seen.refused} refused with a reason; at most {seen.peak / 1e9:.2f} GB of memory in all processes together",
    ]
    if seen.slowest:
        lines.append("  slowest: " + ", ".join(f"{seconds:.1f} s {name!r}" for seconds, name in seen.slowest))
    if seen.peak > MOST_BYTES[seen.way]:
        seen.wrong.append(f"more than {MOST_BYTES[seen.way] / 1e9} GB of memory")
    lines += [f"  WRONG: {text}" for text in seen.wrong[:20]]
    return [*lines, f"  {len(seen.wrong)} wrong"]


def main() -> int:
    from tests.security.hostile_images import corpus

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", choices=("CLI", "Inspect"))
    options = parser.parse_args()
    families = len(collections.Counter(one.kind for one in corpus()))
    lines, wrong = [], 0
    with tempfile.TemporaryDirectory() as aside:
        for name in ("runs", "data", "cache", "logs", "cases"):
            os.environ[f"DFCORE_{name.upper()}"] = str(Path(aside) / name)
        folder = Path(aside) / "hostile"
        expected = write_corpus(folder)
        for way in (through_cli, through_inspect):
            if options.only in (None, {through_cli: "CLI", through_inspect: "Inspect"}[way]):
                seen = way(folder, expected, ROOT / "models")
                text = report(seen, families, len(expected))
                wrong += len(seen.wrong)
                lines += text
                print("\n".join(text), flush=True)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
