"""`dfcore inspect`: words, JSON and a page that stands alone."""

import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dfcore.cli import main
from dfcore.confidence import DecisionThresholds
from dfcore.detectors.bundle import read_card, write_card


def picture(path, seed: int = 0, prompt: str = "") -> None:
    info = PngInfo()
    if prompt:
        info.add_text("parameters", prompt)
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
    path.write_bytes(buffer.getvalue())


@pytest.fixture
def library(knowing, tmp_path, monkeypatch):
    """Two detectors, and a folder of three files of which one is no image."""
    models = tmp_path / "models"
    for name, folder in knowing.items():
        shutil.copytree(folder, models / name)
    monkeypatch.setenv("DFCORE_MODELS", str(models))
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture(folder / "a.png")
    picture(folder / "b <b>.png", 1, "a cat\nSteps: 20, Sampler: Euler a, Seed: 1, Model: some")
    (folder / "c.png").write_bytes(b"no image")
    return folder


def test_words_answer_four_questions_and_a_file_that_cannot_be_read_has_its_reason(library, capsys):
    assert main(["inspect", str(library)]) == 3
    shown = capsys.readouterr().out
    for part in ("verdict: ", "conclusion: ", "how sure: ", "why: ", "next: ", "file: ", "detectors: "):
        assert shown.count(f"\n  {part}") == 3, part
    assert "declares itself AI-generated" in shown and "Not an image" in shown


def test_json_gives_what_the_page_gives(library, capsys):
    assert main(["inspect", str(library), "--json"]) == 3
    rows = json.loads(capsys.readouterr().out)
    good, told, bad = sorted(rows, key=lambda row: row["file"]["name"])
    assert good["provenance"]["declares_generated"] is None and told["provenance"]["declares_generated"] is True
    assert set(good["answers"]) == {"conclusion", "sure", "why", "next"}
    assert {"decision", "finding", "score", "thresholds", "ood_reasons"} <= set(good["verdict"])
    assert good["heatmap"]["values"] and set(good["all_detectors"]) == {"Thumbnails", "Photographs"}
    assert good["forensics"]["views"] and good["forensics"]["left_out"]
    assert bad["verdict"] is None and "Not an image" in bad["error"] and bad["forensics"] is None


def test_the_page_stands_alone_and_shows_a_strangers_name_as_it_is(library, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["inspect", str(library / "b <b>.png"), "--html", str(out), "--no-forensics"]) == 0
    text = out.read_text(encoding="utf-8")
    assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
    assert not re.search(r"<script|https?://[^<\"']*[\"']", text.replace("http://cv.iptc.org", "")), "it loads nothing"
    assert "b &lt;b&gt;.png" in text and "<b>.png" not in text
    assert text.count("<img") == 3 and "How to repeat it" in text
    assert "Forensic figures" not in text


def test_the_page_holds_figures_in_sentences_and_what_was_not_read(library, tmp_path, capsys):
    out = tmp_path / "page.html"
    (library / "gone.png").symlink_to(library / "nowhere.png")
    assert main(["inspect", str(library), "--html", str(out), "--detector", "photographs"]) == 3
    text = out.read_text(encoding="utf-8")
    assert "<td>Saving it at quality 90 changes a channel by" in text, "a sentence, and no list of Python's"
    assert "dfcore inspect &#x27;" in text and "--detector photographs --json</code>" in text
    assert "The file was not read" in text
    for part in text.split("<article id=")[1:]:
        assert ("No verdict" in part) == ("How to repeat it" not in part)
        assert "The file was not read" not in part or "Nothing in the file names" not in part


def test_an_alarm_is_told_with_what_it_is_worth_in_words_json_and_page(library, tmp_path, capsys):
    folder = tmp_path / "models" / "thumbnails"
    at = DecisionThresholds(real_below=-1, fake_from=0, images=24)
    write_card(folder, read_card(folder).model_copy(update={"decision_thresholds": at}))
    asked = ["inspect", str(library / "a.png"), "--detector", "thumbnails"]
    assert main([*asked, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    said = row["alarm"]["in_words"]
    assert row["alarm"]["one_in"] == 10 and said.startswith("If one in 10 such pictures is fake, an alarm like this")
    out = tmp_path / "page.html"
    assert main([*asked, "--html", str(out)]) == 0
    assert f"\n  how often an alarm is right: {said}" in capsys.readouterr().out and said in out.read_text("utf-8")


def test_a_named_detector_judges_alone(library, capsys):
    assert main(["inspect", str(library / "a.png"), "--detector", "photographs"]) == 0
    assert "Judged by Photographs, which you chose" in capsys.readouterr().out


def test_another_ending_is_refused_before_anything_is_done(library, tmp_path, capsys):
    assert main(["inspect", str(library / "a.png"), "--html", str(tmp_path / "page.pdf")]) == 2
    assert ".html" in capsys.readouterr().err
