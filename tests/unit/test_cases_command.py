"""`dfcore cases`: what people do with cases from the shell."""

import json
from pathlib import Path

import pytest

from dfcore.cases import open_store
from dfcore.cli import main
from dfcore.utils.files import sha256_file
from tests.conftest import make_image
from tests.unit.cases import a_judgement, a_picture, tampered


def said(capsys, *arguments: object, code: int = 0) -> str:
    """What a command prints on stdout."""
    assert main(["cases", *map(str, arguments)]) == code
    return capsys.readouterr().out


def told(capsys, *arguments: object, code: int = 0) -> dict:
    """What a command prints with --json."""
    return json.loads(said(capsys, *arguments, "--json", code=code))


@pytest.fixture
def file(tmp_path) -> Path:
    """A picture that was judged."""
    path = make_image(tmp_path / "a.png")
    store = open_store()
    store.remember(a_picture(sha256=sha256_file(path), name="=a\x1b[31m.png"), a_judgement(0.75, finding="fake"))
    store.remember(a_picture(1), a_judgement(0.1))
    return path


def test_a_case_from_its_opening_to_its_end(file, capsys, tmp_path):
    assert "No cases" in said(capsys, "list")
    assert told(capsys, "create", "Street scenes", "--tag", "urgent")["id"] == 1
    assert "1 of 2 pictures filed" not in said(capsys, "file", 1, file, a_picture(1).sha256[:8])
    said(capsys, "note", "the hands look odd", "--picture", file, "--case", 1)
    assert told(capsys, "decide", file, "fake", "--why", "hands")["picture"] == sha256_file(file)
    assert "Done" in said(capsys, "tag", "hands", "--picture", file)
    assert "already" in said(capsys, "tag", "hands", "--picture", file)
    shown = said(capsys, "show", 1)
    assert "Street scenes" in shown and "the hands look odd" in shown and "likely fake" in shown
    assert "\x1b" not in shown
    history = said(capsys, "show", file)
    assert "decided by" in history and "case 1: Street scenes" in history
    assert told(capsys, "show", file)["notes"][0]["text"] == "the hands look odd"
    assert told(capsys, "search", "hands", "--finding", "fake", "--lowest", 0.5, "--case", 1)["total"] == 1
    assert "1 of 2" in said(capsys, "search", "--limit", 1)
    assert "Nothing was found" in said(capsys, "search", "--until", "2020-01-01")
    assert told(capsys, "change", 1, "--close")["closed"]
    assert told(capsys, "list", "--open")["total"] == 0
    assert told(capsys, "list", "street", "--tag", "urgent")["total"] == 1
    assert "1 of 1 pictures taken out" in said(capsys, "file", 1, file, "--take-out")
    assert "Deleted" in said(capsys, "delete", "--picture", file, "--why", "asked for")
    said(capsys, "delete", "--case", 1, "--why", "closed long ago")
    assert "all hold" in (text := said(capsys, "verify")) and "were removed shows only against a head" in text


def test_what_is_asked_wrongly_is_told_in_a_line(file, capsys):
    for arguments in (
        ["show", "99"], ["show", "abcdef0123"], ["show", "nothing"], ["decide", str(file), "maybe"],
        ["file", "7", str(file)], ["search", "--order", "best"], ["search", "--since", "yesterday"],
        ["verify", "--head", "12"], ["prune", "--days", "0"], ["restore", "nowhere.zip"],
        ["delete", "--image", str(file), "--why", "x"], ["note", "x"],
    ):  # fmt: skip
        assert main(["cases", *arguments]) == 2, arguments
        assert capsys.readouterr().err.startswith("dfcore: Expected")


def test_a_head_that_was_kept_elsewhere_shows_removed_entries(file, capsys, tmp_path):
    said(capsys, "head", "--out", tmp_path / "head.txt")
    last = told(capsys, "head")["number"]
    assert "shows only against" not in said(capsys, "verify", "--head", tmp_path / "head.txt")
    assert told(capsys, "verify", "--head", tmp_path / "head.txt")["holds"]
    tampered(open_store(), f"DELETE FROM log WHERE sequence = {last}")
    assert "head: Entry" in said(capsys, "verify", "--head", tmp_path / "head.txt", code=1)
    assert told(capsys, "verify", code=1)["problems"]  # The picture's row is not explained either.


def test_backup_restore_and_retention(file, capsys, tmp_path, monkeypatch):
    open_store().keep_image(sha256_file(file), file.read_bytes(), by="ada")
    assert told(capsys, "backup", tmp_path / "b.zip")["images"] == 1
    monkeypatch.setenv("DFCORE_CASES", str(tmp_path / "elsewhere"))
    assert "2 kept" not in said(capsys, "restore", tmp_path / "b.zip")
    assert told(capsys, "search")["total"] == 2
    assert told(capsys, "prune", "--days", 1)["pictures"] == 0
    assert "Would be deleted" in said(capsys, "prune", "--before", "2999-01-01", "--dry-run")
    assert told(capsys, "prune", "--before", "2999-01-01")["pictures"] == 2
    monkeypatch.setenv("DFCORE_CASES", "off")
    assert main(["cases", "list"]) == 2 and "off" in capsys.readouterr().err


def test_a_backup_without_a_picture_that_should_be_kept_says_so(file, capsys, tmp_path):
    open_store().keep_image(sha256_file(file), file.read_bytes(), by="ada")
    next(open_store().folder.glob("*/*")).unlink()
    assert "missing" in said(capsys, "backup", tmp_path / "b.zip", code=3)
