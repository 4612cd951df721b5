"""Exports a detector to a folder in the format of another runtime, checked before anybody sees it."""

import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dfcore.detectors.bundle import read_card
from dfcore.detectors.library import find_bundle
from dfcore.errors import DfcoreError, InputError, RunError, StorageError
from dfcore.export import cost, formats, loader
from dfcore.export.check import Check
from dfcore.export.cost import Cost
from dfcore.runs.run import Run
from dfcore.utils.files import explained, flush, make_folder, share
from dfcore.utils.processes import environment
from dfcore.utils.texts import printable

Progress = Callable[[str, int, int], None]
# Seconds between reports while a converter works, so that whoever waits can stop it.
_PACE = 0.2


@dataclass(frozen=True)
class Exported:
    """An export.

    Attributes:
        folder: Its folder.
        format: Key of its format.
        bytes: Size of all its files.
        check: How far its scores are from the detector's.
        cost: What rounding to 8 bits costs; None in 32 bits.
        files: What was found of the signature on files; None if there is none.
        example: The text of `load_example.py` in it.
        no_pictures: Why no pictures were among the check images although its run names a data set; "" otherwise.
    """

    folder: Path
    format: str
    bytes: int
    check: Check
    cost: Cost | None
    files: dict[str, Any] | None
    example: str
    no_pictures: str = ""


def export(
    bundle: str | Path,
    to: str,
    out: str | Path,
    *,
    quantize: str | None = None,
    data_root: str | Path | None = None,
    arch_file: str | Path | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Exports a detector.

    Args:
        bundle: Folder, run, or name of a detector in the library.
        to: Format, one of `dfcore.export.formats.FORMATS`.
        out: Folder for the export; must not exist.
        quantize: "int8" rounds to 8 bits, where the format can; None keeps 32 bits.
        data_root: Data set that the detector was trained on: for the cost of 8 bits, and for pictures among the check
            images. That of a run is known, and does without in 32 bits if it cannot be used any more.
        arch_file: Python file that registers the detector's architecture, if it is not one of dfcore's.
        progress: Called with (what is done, done, in all), 0 in all where that is unknown; what it raises ends the
            export, of which nothing stays.

    Returns:
        What was exported.

    Raises:
        BundleError: If the format cannot represent the network, or the scores of what was written differ.
        InputError: If the format, quantisation, folder or data set is invalid.
        MissingExtraError: If a package is not installed.
        StorageError: If it cannot be written.
        DfcoreError: If the converter crashed.
    """
    form, folder, target = formats.get(to), find_bundle(bundle), Path(out).expanduser().absolute()
    root = data_root if data_root is not None else _root_of_run(folder)
    _require(form, folder, target, quantize, root)
    request = {
        "bundle": str(folder),
        "format": to,
        "quantize": quantize,
        "data_root": None if root is None else str(Path(root).expanduser().absolute()),
        "root_given": data_root is not None,
        "arch_file": None if arch_file is None else str(arch_file),
    }
    try:
        make_folder(target.parent)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-", ignore_cleanup_errors=True) as aside:
            made = Path(aside) / "export"
            made.mkdir()
            request |= {"aside": aside, "folder": str(made)}
            result = _converted(request, progress or (lambda *_: None), form.title)
            found = Exported(
                target, to, _size(made), Check(**result["check"]), result["cost"] and Cost(**result["cost"]),
                result["files"], (made / loader.FILE).read_text(encoding="utf-8"), result["no_pictures"],
            )  # fmt: skip
            for path in made.rglob("*"):
                flush(path)
            if target.exists():
                raise InputError(f"{target} exists by now. Expected a new folder.")
            made.rename(target)
            share(target)
    except OSError as error:
        raise StorageError(f"{target} could not be written: {explained(error, target)}.") from error
    return found


def _require(form: formats.Format, folder: Path, target: Path, quantize: str | None, root: str | Path | None) -> None:
    if quantize not in (None, formats.INT8):
        raise InputError(f"Expected --quantize {formats.INT8}. Received: {quantize!r}.")
    if target.exists():
        raise InputError(f"{target} exists. Expected a new folder: an export replaces nothing.")
    if quantize:
        formats.require_int8(form)
    form.require()
    if quantize:
        why = ["to measure the cost", *(["to calibrate it"] if form.needs_images else [])]
        cost.require_root(root, read_card(folder).title, why)


def _root_of_run(folder: Path) -> Path | None:
    """The data set of the run that a bundle lies in; None if it lies in none, or its data set is gone."""
    if folder.name != "bundle":
        return None
    with suppress(RunError):
        root = Run(folder.parent).config().get("data_root")
        return Path(root) if root and Path(root).exists() else None
    return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _converted(request: dict[str, Any], progress: Progress, title: str) -> dict[str, Any]:
    """What the process returns that converts and checks.

    Raises:
        DfcoreError: What it raised, or that it crashed.
    """
    log = Path(request["aside"]) / "log.txt"
    command = [sys.executable, "-m", "dfcore.export.worker"]
    with open(log, "wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            env=environment(TF_CPP_MIN_LOG_LEVEL="3"), text=True, encoding="utf-8",
        )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        answer = _followed(process.stdout, progress)
        process.wait()
    finally:
        # Whatever happened here, nobody waits for it any longer.
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
    if "result" in answer:
        return answer["result"]
    if "error" in answer:
        raise (InputError if answer["invalid"] else DfcoreError)(answer["error"])
    raise DfcoreError(
        f"The export to {title} was not made: its process ended with code {process.returncode}. {_last_words(log)}"
    )


def _followed(lines: IO[str], progress: Progress) -> dict[str, Any]:
    """Reports progress until the process has told its result, or is gone."""
    told: queue.Queue[dict[str, Any] | None] = queue.Queue()

    def read() -> None:
        with suppress(ValueError):  # Closed meanwhile.
            for line in lines:
                told.put(json.loads(line))
        told.put(None)

    threading.Thread(target=read, daemon=True, name="export").start()
    now: tuple[str, int, int] = ("Starting", 0, 0)
    while True:
        progress(*now)
        try:
            line = told.get(timeout=_PACE)
        except queue.Empty:
            continue
        if line is None:
            return {}
        if "title" not in line:
            return line
        now = line["title"], line["done"], line["total"]


def _last_words(log: Path) -> str:
    with suppress(OSError):
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        if lines:
            return f"Its last line: {printable(lines[-1])[:300]}"
    return "It said nothing; it may have run out of memory."
