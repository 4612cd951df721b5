"""Reports: the same contents in HTML and PDF, strangers' words as text, repeatable to the last digit."""

import io
import json
import re
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from dfcore.cli import main
from dfcore.confidence import DecisionThresholds, Policy
from dfcore.detectors.detector import Detector
from dfcore.errors import InputError
from dfcore.evaluation import MeasuredRates
from dfcore.inspection import maps
from dfcore.inspection.inspect import inspect
from dfcore.reports import Asked, Part, of_inspection, report_of
from dfcore.reports.blocks import Command, Facts, Grid, Items, Note, Pictures, Section, Shown, Text
from dfcore.reports.glyphs import _COVERED, covered
from dfcore.reports.html import to_html
from dfcore.reports.of_inspection import of_rates
from dfcore.reports.pdf import _Drawn, to_pdf
from dfcore.reports.pictures import jpeg
from dfcore.reports.words import command, lines, visible

HOSTILE = [
    '#read("/etc/passwd")', '#import "@preview/evil:0.1.0": *', "$x$ *b* _i_ `c` <label> @ref \\ // /* */",
    "<script>alert(1)</script>", "'\"><img src=https://example.org/x onerror=alert(1)>", "</style></title><b>",
    "\u202egnp.exe\u202c", "\u2066isolated\u2069", "nul\0 escape\x1b[31m bell\a", "line\nbreak\r\ttab", "x" * 100_000,
    "名前", "عربى", "😀👩\u200d💻", "\udc80\udcff", "]]>", "{{7*7}}", "&lt;b&gt;", "javascript:alert(1)", "",
]  # fmt: skip
SHORT = [word for word in HOSTILE if len(word) < 1000]
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body header nav main article section footer h1 h2 h3 h4 h5 p ul ol li a dl dt dd "
        "div table thead tbody tr th td figure img figcaption span pre code blockquote bdi br",
    )
)


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def hostile_report(made: str = "2026-11-26T21:00:00+00:00", words=HOSTILE):
    small = jpeg(np.zeros((8, 12, 3), np.uint8))
    parts = []
    for word in words:
        blocks = (
            Text(word), Text(word, "warning"), Items((word, word)), Facts(((word, word),), exact=True),
            Grid((word, "b"), ((word, word),)), Command(("dfcore", "inspect", word)), Note(word, word),
            Pictures((Shown(small, "jpeg", word, word, (word, word)),)),
        )  # fmt: skip
        parts.append(Part(word, (Section(word, blocks),)))
    return report_of(HOSTILE[0] + HOSTILE[4], parts, made, HOSTILE[3])


# === Strangers' words ===


def test_strangers_words_stay_text_in_html_and_nothing_is_loaded():
    text = to_html(hostile_report())
    found = Tags()
    found.feed(text)
    assert found.tags <= TAGS, found.tags - TAGS
    for name, value in found.attributes:
        assert not name.startswith("on")
        assert name != "src" or value.startswith("data:image/"), value
        assert name != "href" or value.startswith("#p"), value
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in found.attributes
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    assert "url(" not in style and "@import" not in style and "<" not in style
    shown = "".join(found.texts)
    for word in HOSTILE:
        if len(word) < 1000 and word.isprintable():
            assert word in shown
    hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {"\n"}
    assert not hidden and "⟨U+202E⟩" in shown and "⟨U+0000⟩" in shown
    assert "more characters are left out here" in shown and len(text) < 4_000_000


def test_strangers_words_reach_typst_as_data_alone():
    data = _Drawn(covered).report(hostile_report())
    told = json.dumps(data, ensure_ascii=False)
    assert json.loads(told) == data and '#read(\\"/etc/passwd\\")' in told
    characters = set("".join(texts(data)))
    assert all(c.isprintable() for c in characters) and not any(ord(c) > 0x3000 and c != "\ufffd" for c in characters)
    assert data["spelled"] and "⟨U+540D U+524D⟩" in told, "and it is said that some are spelled"
    template = (Path(sys.modules["dfcore.reports.pdf"].__file__).parent / "template.typ").read_text()
    assert not re.search(r"\beval\b|#import|#include|\bread\(|plugin|mode:", template), "nothing of it runs"


def texts(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return chain.from_iterable(map(texts, value.values()))
    return chain.from_iterable(map(texts, value)) if isinstance(value, list) else []


def test_a_pdf_of_strangers_words_comes_out_and_holds_no_file_of_the_machine():
    content = to_pdf(hostile_report(words=SHORT))
    assert content.startswith(b"%PDF-1") and content.rstrip().endswith(b"%%EOF")
    assert b"/JavaScript" not in content and b"/URI" not in content and b"/EmbeddedFile" not in content


def test_a_hundred_thousand_letters_without_a_space_end_in_a_pdf():
    word = "x" * 100_000
    blocks = (Text(word), Facts(((word, word),)), Grid((word,), ((word,),)), Note(word, word))
    assert to_pdf(report_of(word, [Part(word, (Section(word, blocks),))], "2026-11-26T21:00:00+00:00", word))


def test_marks_that_no_font_combines_are_spelled_and_never_an_empty_box():
    odd = "x" + "".join(map(chr, range(0x300, 0x370))) + "\u0915\u094d\u0937 \u0651\u064f"
    assert to_pdf(report_of(odd, [Part(odd, (Section(odd, (Text(odd),)),))], "2026-11-26T21:00:00+00:00", odd))


def test_every_character_that_is_not_spelled_is_in_the_fonts_of_typst(tmp_path):
    import typst

    every = [chr(c) for low, high in _COVERED for c in range(low, high + 1)]
    every = [f" {c}" for c in every if c.isprintable() and not unicodedata.combining(c)]
    (tmp_path / "all.json").write_text(json.dumps(every))
    start = '#set text(font: ("Libertinus Serif", "DejaVu Sans Mono"))\n'
    (tmp_path / "all.typ").write_text(start + '#for c in json("all.json") [#c]')
    compiler = typst.Compiler(str(tmp_path / "all.typ"), root=str(tmp_path), ignore_system_fonts=True)
    assert compiler.compile(format="pdf", pdf_standards=["a-2b"], timestamp=0)
    assert covered("漢字 ok") == "⟨U+6F22 U+5B57⟩ ok" and covered("Ärger, Привет, עברית") == "Ärger, Привет, עברית"


def test_nothing_invisible_is_left_and_long_texts_say_what_they_lack():
    assert visible("a\u202eb\0c\nd") == "a⟨U+202E⟩b⟨U+0000⟩c⟨U+000A⟩d" and visible("a\u00a0b") == "a b"
    assert visible("x" * 30, 10) == "x" * 10 + " … (20 more characters are left out here)"
    assert lines("one\ntwo\u200f\n") == ["one", "two⟨U+200F⟩"] and lines("") == [""]
    assert lines("x" * 30_000)[-1] == "… (10,000 more characters are left out here)"


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_a_command_can_be_typed_whatever_its_arguments_hold():
    given = ["a b", "it's", "new\nline", "\u202e\x1b", "名", "\udcff\udc80", "$(id)`id`", "back\\slash\n'", "-x", ""]
    typed = command(given)
    assert typed.isprintable()
    ascii_alone = command(given, str.isascii and (lambda one: one.isascii() and one.isprintable()))
    assert ascii_alone.isascii()
    for text in (typed, ascii_alone):
        out = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True).stdout
        assert out.decode("utf-8", "surrogateescape").split("\0")[:-1] == given


# === Repeatable ===


def test_the_same_contents_give_the_same_bytes_and_the_date_changes_no_hash():
    some = [word for word in HOSTILE if len(word) < 1000]
    one, again, later = (
        hostile_report(words=some),
        hostile_report(words=some),
        hostile_report("2027-01-01T00:00+00:00", some),
    )
    assert to_html(one) == to_html(again) and to_pdf(one) == to_pdf(again)
    assert one.sha256 == later.sha256 and to_html(one) != to_html(later) and to_pdf(one) != to_pdf(later)
    other = report_of(one.title, one.parts[1:], one.made, one.by)
    assert other.sha256 != one.sha256 and one.id == one.sha256[:12]


@pytest.fixture
def library(knowing, tmp_path, monkeypatch):
    models = tmp_path / "models"
    for name, folder in knowing.items():
        shutil.copytree(folder, models / name)
    monkeypatch.setenv("DFCORE_MODELS", str(models))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for seed, name in enumerate(("a.png", "-dash b.png", "new\nline '漢'.png")):
        info = PngInfo()
        info.add_text("parameters", '#read("/etc/passwd") <b>\nSteps: 20, Sampler: Euler a, Seed: 1, Model: some')
        buffer = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(buffer, "PNG", pnginfo=info)
        (folder / name).write_bytes(buffer.getvalue())
    return folder


def typed(page: str) -> list[str]:
    """Arguments of the command in a report, as a shell reads them."""
    text = unescape(re.search(r"<pre><code>(.*?)</code></pre>", page, re.S)[1])
    out = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True).stdout
    return out.decode().split("\0")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", []),
        ("-dash b.png", ["--detector", "photographs", "--max-fpr", "0.123456789", "--ignore-ood", "--engine", "keras"]),
        ("new\nline '漢'.png", ["--max-fnr", "0.3"]),
    ],
)
def test_the_command_in_a_report_gives_the_same_figures_to_the_last_digit(
    library, tmp_path, capsys, monkeypatch, name, options
):
    monkeypatch.chdir(library)
    out = tmp_path / "report.html"
    path = name if not name.startswith("-") else f"./{name}"
    assert main(["report", path, "--out", str(out), "--no-forensics", *options]) == 0
    page = out.read_text(encoding="utf-8")
    capsys.readouterr()
    arguments = typed(page)
    assert arguments[0] == "dfcore"
    assert main(arguments[1:]) == 0
    (again,) = json.loads(capsys.readouterr().out)
    repeated = page[page.index("How to repeat it") :]
    figures = {cell for cell in re.findall(r"<td>(.*?)</td>", repeated) if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", cell)}
    judged = [one for one in again["all_detectors"].values() if one["is_used"]]
    assert figures == {repr(one[key]) for one in judged for key in ("score", "logit")} and len(figures) >= 2
    assert repr(again["verdict"]["score"]) in figures
    for key in ("real_below", "fake_from"):
        assert f"<dd>{again['verdict']['thresholds'][key]!r}</dd>" in page
    for digest in (again["file"]["sha256"], again["file"]["pixels_sha256"], again["detector"]["model_sha256"]):
        assert digest in repeated
    for answer in again["answers"].values():
        assert visible(answer) in unescape(page), "word for word"


# === What is said ===


ALARM = DecisionThresholds(real_below=-1, fake_from=0, images=24)


def page_of(one) -> str:
    report = report_of("t", [of_inspection(one, Asked("auto"))], "2026-11-26T21:00:00+00:00", "ada")
    return unescape(to_html(report))


def inspected(library, *names: str, policy: Policy = Policy(), **options):
    """An inspection of a picture by some detectors of the library."""
    loaded = {name: Detector.load(name) for name in names}
    data = (library / "a.png").read_bytes()
    return inspect(data, "a.png", loaded, dict.fromkeys(names, policy), forensic=False, **options)


def test_how_rare_fakes_are_and_what_an_alarm_is_then_worth_is_in_report_and_record(library):
    for one_in in (10, 1000):
        one = inspected(library, "thumbnails", policy=Policy(ALARM), explain=False, one_in=one_in)
        said = one.to_dict()["alarm"]
        assert said["one_in"] == one_in and f"If one in {one_in:,} such pictures is fake" in said["in_words"]
        assert said["in_words"] in page_of(one)
    quiet = inspected(library, "thumbnails", policy=Policy(DecisionThresholds(real_below=2, fake_from=3, images=24)))
    assert quiet.to_dict()["alarm"] is None and "such pictures is fake" not in page_of(quiet)


def test_the_heat_map_that_was_asked_for_is_drawn_and_named(library):
    layer = Detector.load("thumbnails").explainer().layers[0]
    wanted = {"method": "gradcam++", "target": "real", "layer": layer, "view": 0}
    one = inspected(library, "thumbnails", explain=wanted)
    page = page_of(one)
    assert (one.heatmap.method, one.heatmap.target, one.heatmap.layer) == ("gradcam++", "real", layer)
    assert f"vidence of real by Grad-CAM++, layer {layer}, in whole image" in page
    assert "How faithful maps of Grad-CAM++ are has not been measured for this detector." in page
    assert one.to_dict()["heatmap"]["in_words"] in page


def test_scores_that_do_not_count_are_nowhere_in_a_report(library):
    one = inspected(library, "thumbnails", "photographs", policy=Policy(ALARM))
    page, told = page_of(one), one.to_dict()["all_detectors"]["Photographs"]
    assert not told["is_used"] and told["says"] == "does not apply"
    unused, used = one.others["Photographs"], one.others["Thumbnails"]
    assert repr(used.score) in page
    for figure in (repr(unused.score), f"{unused.score:.3f}<", repr(unused.logit)):
        assert figure not in page
    repeated = page[page.index("How to repeat it") :]
    assert "<td>not used</td><td></td><td>does not apply</td>" in repeated and "inconclusive" not in repeated
    assert page.count("does not apply") == 2, "once among all detectors, once in how to repeat it"


def test_a_score_that_is_not_used_has_no_map_in_report_and_record(library):
    for explain in (True, {"method": "gradcam", "target": "real"}):
        one = inspected(library, "photographs", explain=explain)
        page = page_of(one)
        assert not one.verdict.is_used and page.count("<img") == 1 and maps.NO_MAP in page
        assert "pulls the score" not in page and repr(one.verdict.score) not in page
        assert "heatmap" not in one.to_dict()
    assert maps.NO_MAP not in page_of(inspected(library, "photographs", policy=Policy(ignore_ood=True)))


def test_figures_on_pictures_that_the_thresholds_were_chosen_on_say_so():
    rates = MeasuredRates("the data set many", 444, 468, 16, 78, 2, 796)
    note = "The thresholds were chosen on these very pictures"
    assert note not in of_rates(rates)[-1].text
    assert note in of_rates(replace(rates, chosen_here=True))[-1].text


# === The command ===


def test_a_report_of_a_folder_holds_what_was_read_and_what_was_not(library, tmp_path, capsys):
    (library / "c.png").write_bytes(b"no image")
    out = tmp_path / "report.html"
    assert main(["report", str(library), "--out", str(out), "--by", "Ada <b>", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    page = out.read_text(encoding="utf-8")
    assert told["pictures"] == 4 and told["report"] in page and told["sha256"] in page
    assert page.count("<article") == 4 and page.count("How to repeat it") == 3 and "Not an image" in page
    assert "Ada &lt;b&gt;" in page and "Contents" in page and "#read(&quot;/etc/passwd&quot;) &lt;b&gt;" in page
    assert page.count("It does not prove that anything there was edited") == 3, "beside each heat-map"


def test_a_pdf_is_written_and_without_typst_the_error_names_the_extra(library, tmp_path, capsys, monkeypatch):
    out = tmp_path / "report.pdf"
    assert main(["report", str(library / "a.png"), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"%PDF-") and "Report " in capsys.readouterr().out
    out.unlink()
    monkeypatch.setitem(sys.modules, "typst", None)
    assert main(["report", str(library / "a.png"), "--out", str(out)]) == 2
    assert "dfcore[pdf]" in capsys.readouterr().err and not out.exists()


def test_what_cannot_be_a_report_is_refused_before_anything_is_judged(library, tmp_path, capsys):
    out = str(tmp_path / "report.html")
    for wrong in (["--out", out], ["a.png", "--case", "1", "--out", out], ["a.png", "--out", "report.docx"]):
        assert main(["report", *wrong]) == 2
        assert "Expected" in capsys.readouterr().err
    with pytest.raises(InputError, match="at most 500 pictures"):
        report_of("t", [Part("p", ())] * 600, "2026-11-26T21:00:00+00:00", "ada")
