"""ZIP archives of strangers: every entry is answered, none can harm, and no answer needs much memory."""

import io
import json
import os
import sys
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from dfcore.batch import zip_directory, zip_reader
from dfcore.batch.entries import Entry
from dfcore.batch.predict import predict_files
from dfcore.batch.zip_reader import entries, is_zip, read_entry
from dfcore.cli import main
from dfcore.datasets.dataset import LeftOut
from dfcore.detectors.detector import Detector
from dfcore.errors import ImageError
from tests.security.hostile_zips import COUNTED, FOLDER, Made, archive, large, packed, picture, stored, traps

SMALL = Path(__file__).parents[2] / "models" / "small"


@pytest.fixture(autouse=True)
def _shipped(_own_workspace, monkeypatch):
    monkeypatch.setenv("DFCORE_MODELS", str(SMALL.parent))


@pytest.fixture(scope="module")
def small() -> Detector:
    return Detector.load(SMALL)


def written(path: Path, made: list[Made], **more) -> Path:
    path.write_bytes(archive(made, **more))
    return path


def answers(path: Path) -> list[str | None]:
    """What is said of each entry; None if it can be had."""
    result: list[str | None] = []
    for found in entries(path):
        if isinstance(found, LeftOut):
            result.append(found.reason)
            continue
        try:
            found.read()
            result.append(None)
        except ImageError as error:
            result.append(str(error))
    return result


def check(made: list[Made], rows: list[dict]) -> None:
    """Each entry has one row, in its order, which says what it must; each archive tells what it counted."""
    wanted = [one for one in made if one.says not in (FOLDER, COUNTED)]
    assert len(rows) == len(wanted)
    for one, row in zip(wanted, rows, strict=True):
        assert len(row["path"]) < 500 and row["path"].isprintable()
        if one.says is None:
            assert row["error"] is None, (one.name[:80], row["error"])
            assert row["score"] is not None
        else:
            assert one.says in (row["error"] or "no error"), one.name[:80]
            assert row["score"] is None


def before_and_after(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


def test_every_entry_among_traps_has_its_row(small, tmp_path):
    made = [*traps(0), *traps(50)[:18], large()]
    assert len(made) == 60
    path = written(tmp_path / "traps.zip", made)
    before = before_and_after(tmp_path)
    found = list(entries(path))
    counted = [one for one in found if isinstance(one, LeftOut) and not one.missed]
    assert [(one.files, one.reason) for one in counted] == [(2, "2 files of the system and of tools.")]
    rows = [row for batch in predict_files([one for one in found if one not in counted], {"small": small})
            for row in batch]  # fmt: skip
    check(made, rows)
    assert [row["path"].rpartition("/")[2] for row in rows if "twice" in row["path"]][:2] == [
        "twice.png (1 of this name)", "twice.png (2 of this name)",
    ]  # fmt: skip
    assert before_and_after(tmp_path) == before, "nothing was written"


@pytest.mark.slow
def test_every_entry_of_two_thousand_has_its_row_in_the_command_and_in_a_batch(tmp_path, monkeypatch):
    from dfcore.batch.sources import Upload
    from dfcore.batch.store import BatchStore

    made = [large(), *(one for seed in range(0, 490, 10) for one in traps(seed))][:2000]
    made += [stored(f"more {number}.png", picture(number)) for number in range(2000 - len(made))]
    assert len(made) == 2000
    path = written(tmp_path / "traps.zip", made)
    assert main(["predict", "small", str(path), "--out", str(tmp_path / "rows.jsonl")]) == 3
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    check(made, rows)
    store = BatchStore()
    batch = store.start([Upload("traps.zip", io.BytesIO(path.read_bytes()))], ["small"])
    while batch.status().state.active:
        time.sleep(0.2)
    check(made, list(batch.all_rows()))
    prefix = str(tmp_path) + os.sep
    for mine, theirs in zip(batch.all_rows(), rows, strict=True):
        assert {name: mine[name] for name in theirs} == theirs | {"path": theirs["path"].removeprefix(prefix)}
    (left,) = batch.left_out()
    assert left.files == sum(one.says == COUNTED for one in made)


def test_an_entry_is_found_again_by_its_place_and_name(tmp_path):
    path = written(tmp_path / "a.zip", traps(0))
    for found in entries(path):
        if isinstance(found, Entry):
            kind, file, offset, digest = found.origin
            assert (kind, file) == ("zip", str(path))
            try:
                data = found.read()
            except ImageError:
                continue
            assert read_entry(path, offset, digest) == data
            with pytest.raises(ImageError, match="has changed"):
                read_entry(path, offset + 1, digest)


# === Whole archives ===


def test_an_archive_that_is_cut_off_anywhere_is_told(tmp_path):
    whole = archive([stored("1.png", picture(1)), packed("2.png", picture(2))])
    for length in range(0, len(whole), 7):
        path = tmp_path / "cut.zip"
        path.write_bytes(whole[:length])
        said = answers(path)
        assert said and any(said), length
    (reason,) = said
    assert "cut off" in reason


@pytest.mark.parametrize(
    "before, comment", [(b"#!/bin/sh\n" * 20, b""), (b"", b"PK\x05\x06 is no end"), (b"", b"x" * 65535)]
)
def test_what_stands_around_an_archive_does_not_matter(before, comment, tmp_path):
    path = written(tmp_path / "a.zip", [stored("1.png", picture(1))], before=before, comment=comment)
    assert answers(path) == [None]


def test_a_directory_that_ends_too_early_is_told(tmp_path):
    path = written(tmp_path / "a.zip", [stored("1.png", picture(1))], count=7)
    assert answers(path) == [None, "Its directory is damaged after 1 entries: what else is in it is not known."]


def test_an_empty_archive_is_told(tmp_path):
    assert answers(written(tmp_path / "a.zip", [])) == ["There is no file in the archive."]


def test_more_entries_than_are_read_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(zip_directory, "MOST_ENTRIES", 5)
    path = written(tmp_path / "a.zip", [stored(f"{n}.png", picture(n)) for n in range(8)])
    *read, rest = answers(path)
    assert read == [None] * 5
    assert "the other 3 were not read" in rest


def test_an_entry_that_claims_the_rest_of_the_archive_takes_none_of_the_others_with_it(tmp_path):
    good = [stored(f"{n}.png", picture(n)) for n in range(3)]
    path = written(tmp_path / "a.zip", [good[0], stored("liar.png", picture(9), packed=9000), *good[1:]])
    first, liar, *rest = answers(path)
    assert (first, rest) == (None, [None, None])
    assert "also those of another" in liar


def test_large_archives_are_read_in_their_wide_form(tmp_path):
    path = tmp_path / "wide.zip"
    with zipfile.ZipFile(path, "w") as file, file.open("1.png", "w", force_zip64=True) as entry:
        entry.write(picture(1))
    monkey = zipfile.ZIP_FILECOUNT_LIMIT
    try:
        zipfile.ZIP_FILECOUNT_LIMIT = 1
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("2.png", picture(2))
            file.writestr("3.png", picture(3))
    finally:
        zipfile.ZIP_FILECOUNT_LIMIT = monkey
    assert b"PK\x06\x06" in path.read_bytes()
    assert answers(path) == [None, None, None]


def test_names_are_read_as_their_tools_wrote_them(tmp_path):
    names = ["ä ö.png".encode(), "ä ö.png".encode("cp437")]
    path = written(tmp_path / "a.zip", [stored(name, picture(1)) for name in names])
    assert [found.name for found in entries(path, "a.zip")] == ["a.zip!/ä ö.png", "a.zip!/ä ö.png"]


def test_archives_are_known_by_name_or_content(tmp_path):
    content = archive([stored("1.png", picture(1))])
    (tmp_path / "picture.jpg").write_bytes(content)
    (tmp_path / "with program.zip").write_bytes(b"MZ" + content)
    (tmp_path / "picture.png").write_bytes(picture(1))
    os.mkfifo(tmp_path / "pipe.zip")
    assert is_zip(tmp_path / "picture.jpg") and is_zip(tmp_path / "with program.zip")
    assert not any(is_zip(tmp_path / name) for name in ("picture.png", "pipe.zip", "gone", "\0"))


# === Memory ===


@pytest.mark.skipif(sys.platform == "win32", reason="tracemalloc counts alike everywhere; the file is sparse")
def test_a_directory_takes_no_memory_by_what_it_claims(tmp_path):
    """A directory of 1 GB in a sparse file, and one of many entries."""
    many = written(tmp_path / "many.zip", [stored(f"{n:04d}.png", b"x") for n in range(5_000)])
    claims = tmp_path / "claims.zip"
    with open(claims, "wb") as file:
        file.truncate(2**30)
        file.seek(2**30)
        file.write(b"PK\x05\x06" + b"\0" * 4 + b"\xff" * 4 + (2**30).to_bytes(4, "little") + bytes(6))
    tracemalloc.start()
    try:
        for path, count in ((many, 5_000), (claims, 1)):
            assert sum(1 for _ in entries(path)) == count
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()


def test_a_bomb_is_given_up_early(tmp_path):
    bomb = packed("bomb.bmp", picture(1, "BMP")[:54] + bytes(60 * 2**20))
    (found,) = entries(written(tmp_path / "a.zip", [bomb]))
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="100 times"):
            found.read()
        assert tracemalloc.get_traced_memory()[1] < 4 * zip_reader.FREE_BYTES
    finally:
        tracemalloc.stop()
