"""`dfcore data audit`: exit codes, JSON and the report."""

import json
from html.parser import HTMLParser

import pytest
from PIL import Image

from dfcore.audit import Audit
from dfcore.cli import main
from tests.unit.audit_sets import jpeg, make_set, png


@pytest.fixture(scope="module")
def bad_set(tmp_path_factory):
    return make_set(tmp_path_factory.mktemp("bad") / "set", fake=png)


def _audit(*options) -> int:
    return main(["data", "audit", *map(str, options), "--no-networks"])


@pytest.mark.parametrize(("fail_on", "code"), [((), 0), (("--fail-on", "high"), 4), (("--fail-on", "low"), 4)])
def test_exit_code(bad_set, capsys, fail_on, code):
    assert _audit(bad_set, *fail_on) == code
    told = capsys.readouterr().out
    assert "HIGH    The classes can be told apart without looking at the pictures" in told
    assert "What to do: Make a neutralised copy" in told


@pytest.mark.slow
def test_fails_only_on_what_was_asked(tmp_path, capsys):
    root = make_set(tmp_path / "set")  # Small, which is of low severity.
    assert _audit(root, "--fail-on", "medium") == 0
    assert _audit(root, "--fail-on", "low") == 4


def test_json_is_an_audit(bad_set, capsys):
    assert _audit(bad_set, "--json") == 0
    result = Audit.from_json(capsys.readouterr().out)
    assert result.worst == "high" and result.real == result.fake == 25


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_report_is_one_file_that_loads_nothing(tmp_path, capsys):
    root = make_set(tmp_path / "set & <b>", count=3, splits=("train", "test"))
    evil = root / "train" / "real" / '"><script>alert(1)<‮.jpg'
    try:
        evil.write_bytes((root / "test" / "real" / "0.jpg").read_bytes())
    except OSError:
        pytest.skip("the file system does not allow such names")
    assert _audit(root, "--out", tmp_path / "report.html") == 0
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = _Tags()
    page.feed(text)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "iframe", "b>")]
    sources = [values["src"] for tag, values in page.tags if tag == "img"]
    assert len(sources) >= 2 and all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "&lt;script&gt;" in text and "‮" not in text and "http://" not in text and "https://" not in text
    assert sum(values.get("class") == "pair" for _, values in page.tags) == 1


def test_out_may_be_json_and_nothing_else(bad_set, tmp_path, capsys):
    assert _audit(bad_set, "--out", tmp_path / "audit.json") == 0
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))["images"] == 50
    assert _audit(bad_set, "--out", tmp_path / "audit.pdf") == 2
    assert "Expected --out FILE ending in .html, .json" in capsys.readouterr().err


def test_a_pair_that_is_gone_is_told_in_the_report(tmp_path):
    from dfcore.audit.finding import Finding
    from dfcore.audit.report import write_report

    pair = Finding(kind="copies", severity="low", title="t", meaning="m", count=1, pairs=(("a.jpg", "b.jpg"),))
    (tmp_path / "a.jpg").write_bytes(jpeg(Image.new("RGB", (8, 8))))
    result = Audit(root=str(tmp_path), dataset="d", fingerprint="", images=1, real=1, fake=0, findings=(pair,))
    write_report(result, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("cannot be shown") == 1
