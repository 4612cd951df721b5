"""The hostile corpus through the decoding processes; `benchmarks.hostile` takes all of it, by CLI and Inspect."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from dfcore.cli import main
from dfcore.errors import ImageError
from dfcore.imaging import sandbox
from dfcore.utils.texts import printable
from tests.security.hostile_images import Hostile, corpus

# Those that only cost time or memory are large, or few bytes that mean much work.
_SMALL = 100_000
_SLOW = {"jpeg-scans", "avif", "bmp-runs", "tiff-sizes", "tiff-tags", "png-chunks", "jpeg-segments"}


@pytest.fixture(scope="module")
def files() -> list[Hostile]:
    return [one for one in corpus() if len(one.data) <= _SMALL and one.kind not in _SLOW]


def answer(one: Hostile) -> str | None:
    try:
        sandbox.check(one.data)
        return None
    except ImageError as error:
        return str(error)


@pytest.mark.slow
def test_every_hostile_file_gets_a_picture_or_a_clear_reason(files):
    assert len(files) > 200
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(answer, files))
    wrong = [
        f"{one.name!r} should be {one.expect}: {text}"
        for one, text in zip(files, answers, strict=True)
        if (one.expect, text is None) in (("refused", True), ("accepted", False))
    ]
    assert not wrong, "\n".join(wrong)
    unclear = [one.name for one, text in zip(files, answers, strict=True) if text is not None and len(text) < 20]
    assert not unclear
    assert all(text is None or printable(text) == text for text in answers), "control characters in a reason"


def test_hostile_names_are_listed_and_shown_without_doing_anything(files, tmp_path, capsys):
    names = [one for one in files if one.kind == "names"]
    assert len(names) > 10
    root = tmp_path / "set"
    for label in ("real", "fake"):
        for one in names:
            (root / label).mkdir(parents=True, exist_ok=True)
            (root / label / one.name).write_bytes(one.data)
    assert main(["data", "scan", str(root)]) == 3
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\x07" not in shown
