"""The report of a case: from what is stored alone, with what people wrote as text."""

import io
import json
import shutil
from dataclasses import asdict, replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from dfcore.cases import Judgement, open_store
from dfcore.cli import main
from dfcore.confidence import DecisionThresholds
from dfcore.detectors import remembered
from dfcore.detectors.bundle import read_card, write_card
from dfcore.detectors.detector import Detector
from dfcore.evaluation import measured_rates
from dfcore.inspection import answers, record
from dfcore.inspection.inspect import inspect
from dfcore.reports import repeat
from dfcore.reports.blocks import Facts

NOTE = 'Ask the <b>agency</b>\n#read("/etc/passwd") \u202eevil'


@pytest.fixture
def case(knowing, tmp_path, monkeypatch):
    """A case of two pictures: one inspected twice and decided on, one of a batch."""
    shutil.copytree(knowing["thumbnails"], tmp_path / "models" / "thumbnails")
    monkeypatch.setenv("DFCORE_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    detector = Detector.load("thumbnails")
    store, kept = open_store(), []
    for seed, name in enumerate(("first <i>.png", "second.png")):
        buffer = io.BytesIO()
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)).save(buffer, "PNG")
        (tmp_path / name).write_bytes(buffer.getvalue())
        one = inspect(buffer.getvalue(), name, {"thumbnails": detector}, forensic=False)
        whole = json.loads(json.dumps(record(one.card, name, one.verdict, one.facts, one.heatmap)))
        assert whole["verdict"]["thresholds"]["says_real"] == one.verdict.thresholds.says_real
        judged = remembered.judgement(
            one.card, one.verdict, key="thumbnails", title="Thumbnails", by="ada", via="batch" if seed else "inspect",
            engine=detector.engine.name, name=name, record=None if seed else whole,
        )  # fmt: skip
        picture = remembered.picture(one.facts, name, one.preview)
        store.remember(picture, judged)
        kept.append((picture, one, buffer.getvalue()))
    number = store.create_case("Flood <script>", by="ada", tags=("urgent",)).id
    store.file(number, [picture.sha256 for picture, *_ in kept], by="ada")
    first = kept[0][0].sha256
    store.note(NOTE, by="ada", case=number)
    store.note("Seen in 2019", by="bob", picture=first)
    store.decide(first, "real", by="ada")
    store.decide(first, "fake", by="bob", why="The source admits it")
    store.tag("flood", by="ada", picture=first)
    return store, number, kept


def report(tmp_path, number: int, capsys, suffix: str = ".html") -> str:
    out = tmp_path / f"case{suffix}"
    assert main(["report", "--case", str(number), "--out", str(out), "--by", "ada", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 2
    return out.read_text(encoding="utf-8") if suffix == ".html" else out.read_bytes().decode("latin-1")


def test_what_was_not_kept_is_said_and_what_was_stored_is_shown(case, tmp_path, capsys):
    store, number, kept = case
    page = report(tmp_path, number, capsys)
    assert page.count("The picture was not kept") == 2 and "<img" not in page
    shown = unescape(page)
    for words in ("Flood <script>", "urgent", "Seen in 2019", "The source admits it", "flood", "first <i>.png",
                  "Ask the <b>agency</b>", '#read("/etc/passwd") ⟨U+202E⟩evil', store.head().hash):  # fmt: skip
        assert words in shown, words
    assert "<b>agency" not in page and "<script>" not in page and "\u202e" not in page
    assert page.index("<td>fake</td><td>bob") < page.index("<td>real</td><td>ada"), "the newest decision first"
    for picture, one, _ in kept:
        assert repr(one.verdict.score) in page and picture.sha256 in page and one.card.model_sha256 in page
        said = answers(
            one.card, one.verdict, measured_rates(tmp_path / "models" / "thumbnails", one.card, one.card.thresholds),
            chosen="it was in use then",
        )  # fmt: skip
        for answer in asdict(said).values():
            assert answer in shown


def test_the_command_repeats_a_stored_verdict_to_the_last_digit(case, tmp_path, capsys):
    import shlex

    _, number, kept = case
    page = unescape(report(tmp_path, number, capsys))
    commands = [part.partition("</code>")[0] for part in page.split("<pre><code>")[1:]]
    assert len(commands) == 2
    for typed, (_, one, _) in zip(commands, kept, strict=True):
        assert main(shlex.split(typed)[1:]) == 0
        (again,) = json.loads(capsys.readouterr().out)
        assert repr(again["verdict"]["score"]) == repr(one.verdict.score)
        assert again["verdict"]["thresholds"] == one.verdict.thresholds.told()


def test_a_detector_that_is_gone_leaves_figures_and_no_invented_sentences(case, tmp_path, capsys):
    _, number, kept = case
    shutil.rmtree(tmp_path / "models" / "thumbnails")
    page = report(tmp_path, number, capsys)
    assert page.count("were not stored") == 2 and "Conclusion" not in page
    assert repr(kept[0][1].verdict.score) in page


def test_a_kept_picture_is_shown_with_its_stored_map_and_what_its_file_says(case, tmp_path, capsys):
    store, number, kept = case
    store.keep_image(kept[0][0].sha256, kept[0][2], by="ada")
    page = report(tmp_path, number, capsys)
    assert page.count("The picture was not kept") == 1 and page.count("<img") == 3
    assert "Drawn from the stored map" in page and "It does not prove" in page and "Forensic figures" in page
    again = report(tmp_path, number, capsys)
    assert [line for line in page.split("<dt>") if not line.startswith("Made<")] == [
        line for line in again.split("<dt>") if not line.startswith("Made<")
    ], "the same apart from the date"
    assert report(tmp_path, number, capsys, ".pdf").startswith("%PDF-")


def test_a_stored_alarm_is_told_with_what_it_is_worth(case, tmp_path, capsys):
    store, number, ((picture, _, data), _) = case
    folder = tmp_path / "models" / "thumbnails"
    at = DecisionThresholds(real_below=-1, fake_from=0, images=24)
    write_card(folder, read_card(folder).model_copy(update={"decision_thresholds": at}))
    one = inspect(data, "first.png", {"thumbnails": Detector.load("thumbnails")}, forensic=False)
    judged = remembered.judgement(one.card, one.verdict, key="thumbnails", title="T", by="b", via="inspect")
    store.remember(picture, judged)
    assert one.alarm.in_words in unescape(report(tmp_path, number, capsys)) and "If one in 10" in one.alarm.in_words


def test_the_heading_of_a_stored_verdict_says_what_keeps_it_from_being_the_answer(case, tmp_path, capsys):
    store, number, ((picture, *_), _) = case
    last = store.history(picture.sha256).judgements[-1]
    store.remember(picture, replace(last, id=0, at="", finding="fake", decision="fake", ood=True, ignore_ood=True))
    assert "<h3>Likely fake by the score alone</h3>" in report(tmp_path, number, capsys)


def test_a_stored_score_that_is_not_used_is_nowhere_in_how_to_repeat_it():
    one = Judgement("0" * 64, "faces", "1" * 64, score=0.9876, logit=4.5678, finding="inconclusive", ood=True)
    unused, used = (
        dict(block.rows)
        for each in (one, replace(one, ignore_ood=True))
        for block in repeat.of_judgement(each, one.picture)
        if isinstance(block, Facts)
    )
    assert unused["Score"] == "not used" and "Logit" not in unused
    assert (used["Score"], used["Logit"]) == ("0.9876", "4.5678")


def test_an_unknown_case_and_a_store_that_is_off_are_told(case, tmp_path, capsys, monkeypatch):
    out = str(tmp_path / "r.html")
    assert main(["report", "--case", "99", "--out", out]) == 2
    monkeypatch.setenv("DFCORE_CASES", "off")
    assert main(["report", "--case", "1", "--out", out]) == 2
    assert "DFCORE_CASES" in capsys.readouterr().err
