"""The examples in docstrings do what they say, in an empty folder with nothing but the detectors that ship."""

import doctest
import importlib
import inspect

import pytest

import dfcore
from dfcore.architectures import registry
from tests.conftest import ROOT

MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "dfcore").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    result = [test for name in MODULES for test in finder.find(importlib.import_module(name))]
    return [test for test in result if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda test: test.name)
def test_an_example_runs(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DFCORE_MODELS")
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))
    output: list[str] = []
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example, out=output.append)
    assert result.failed == 0, "".join(output)
    assert not any(doctest.SKIP in one.options for one in example.examples), (
        "an example that nobody runs proves nothing"
    )


@pytest.mark.parametrize("name", dfcore.__all__)
def test_everything_on_the_face_has_an_example(name):
    assert ">>> " in (inspect.getdoc(getattr(dfcore, name)) or ""), name
