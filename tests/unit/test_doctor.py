"""`dfcore doctor`, and what is said where an optional dependency is missing."""

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import numpy as np
import pytest
from packaging.requirements import Requirement
from PIL import ImageFont

from dfcore import diagnostics, figures, workspace
from dfcore.cli import main
from dfcore.diagnostics import Finding, engines, packages, probe, system
from dfcore.errors import DfcoreError, InputError, MissingExtraError
from dfcore.trackers import findings as tracked
from dfcore.utils import extras, processes
from tests.conftest import ROOT


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""

    def remove(*modules: str) -> None:
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)

    return remove


def named(findings, name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


# === The command ===


@pytest.fixture
def checks(monkeypatch):
    """Replaces the checks by their findings."""

    def put(*findings: Finding) -> None:
        monkeypatch.setattr(diagnostics, "_CHECKS", (lambda: iter(findings),))
        monkeypatch.setattr(tracked, "tracker_findings", lambda: iter(()))

    return put


def test_the_core_works_though_an_extra_is_missing(checks, capsys):
    checks(Finding("packages", "keras", True, "3.15.1", core=True), Finding("extras", "app", False, "-", "Do this."))
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "packages", "  ok   keras: 3.15.1", "extras", "  no   app: -", "         Do this.", "The core works.",
    ]  # fmt: skip


def test_a_core_that_does_not_work_ends_with_1(checks, capsys):
    checks(Finding("packages", "keras", False, "keras is not installed", "Do that.", core=True))
    assert main(["doctor"]) == 1
    assert "  FAIL keras: keras is not installed\n         Do that.\n" in capsys.readouterr().out


def test_as_json(checks, capsys):
    checks(Finding("sandbox", "decoding", True, "an image was decoded", core=True))
    assert main(["doctor", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["works"] is True
    assert answer["findings"][0] == {
        "area": "sandbox", "name": "decoding", "works": True, "detail": "an image was decoded", "advice": "",
        "core": True,
    }  # fmt: skip


def test_here_the_core_works(capsys, monkeypatch):
    """All checks as they are but Keras, whose start takes seconds; `test_keras_is_tried` runs that."""
    real = engines.probe
    monkeypatch.setattr(engines, "probe", lambda name: {"version": "-"} if name == "keras" else real(name))
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert {finding["area"] for finding in findings} == {
        "packages", "extras", "engines", "sandbox", "fonts", "folders", "trackers",
    }  # fmt: skip
    for finding in findings:
        assert finding["works"] != bool(finding["advice"]), f"advice where it is needed: {finding}"


# === Packages ===


def test_the_core_needs_neither_streamlit_nor_plotly_nor_openvino():
    core = {requirement.name for requirement in packages.requirements()}
    assert {"keras", "tensorflow", "numpy"} <= core
    assert not core & {"streamlit", "plotly", "openvino", "authlib", "pytest"}
    app, *others = (
        {requirement.name for requirement in packages.requirements(extra)}
        for extra in ("app", "hub", "export", "serve")
    )
    assert not core & set().union(*others)
    assert {"streamlit", "plotly", "authlib", "httpx", "openvino", "pillow-heif", "av", "typst"}.union(*others) == app
    assert app < {requirement.name for requirement in packages.requirements("dev")}


def test_every_extra_is_examined_and_documented():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {found.name for found in packages.package_findings() if found.area == "extras"} == set(extras)
    document = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip().strip("`"): line for line in document.splitlines() if line.startswith("| `")}
    assert set(extras) == set(rows)
    for extra, wanted in extras.items():
        within = re.findall(r"dfcore\[(.*?)\]", " ".join(wanted))
        named = re.findall(r"`(\w+)`", rows[extra].split("|")[2])
        assert named == [name for part in within for name in part.split(",")], extra


def test_an_installed_package_declares_the_same(monkeypatch):
    """What pip's metadata say is read as pyproject.toml is."""
    expected = {extra: packages.requirements(extra) for extra in ("", "openvino", "app")}
    lines = [
        *(str(requirement) for requirement in expected[""]),
        *(f'{requirement.name}{requirement.specifier}; extra == "openvino"' for requirement in expected["openvino"]),
        'dfcore[openvino]; extra == "app"',
        *(
            f'{requirement.name}{requirement.specifier}; extra == "app"'
            for requirement in expected["app"]
            if requirement.name != "openvino"
        ),
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    monkeypatch.setattr(workspace, "checkout", lambda: None)
    for extra, requirements in expected.items():
        got = {(each.name, str(each.specifier)) for each in packages.requirements(extra)}
        assert got == {(each.name, str(each.specifier)) for each in requirements}, extra


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("numpy>=1", ""),
        ("numpy>=1000", f"numpy {np.__version__} is installed, expected >=1000"),
        ("no-such-package-here>=1", "no-such-package-here is not installed"),
    ],
)
def test_versions_are_held_against_the_declared_ranges(line, problem):
    assert packages.problem_of(Requirement(line)) == problem


def test_a_package_that_does_not_fit_is_a_failure_of_the_core(monkeypatch):
    wanted = [Requirement("numpy>=1000"), Requirement("no-such-package-here")]
    monkeypatch.setattr(packages, "requirements", lambda extra="": wanted[: 2 if extra else 1])
    core, *others = packages.package_findings()
    assert not core.works and core.core and "pip install 'numpy>=1000'" in core.advice
    assert [finding.core for finding in others] == [False] * 11
    app = named(others, "app")
    assert "expected >=1000; not installed: no-such-package-here" in app.detail
    assert "pip install 'dfcore[app]'" in app.advice


def test_the_lock_fits_the_declared_ranges():
    """Somebody who edits one without the other sees it here."""
    for extra, name in (("app", "requirements.txt"), ("dev", "requirements-dev.txt")):
        lines = (ROOT / name).read_text().splitlines()
        pins = {Requirement(line.rstrip("\\ ")) for line in lines if line[:1].isalnum()}
        for requirement in (*packages.requirements(), *packages.requirements(extra)):
            # Some have another range, and another pin, for each Python.
            here = [
                next(iter(pin.specifier)).version
                for pin in pins
                if pin.name == requirement.name and (pin.marker is None or pin.marker.evaluate())
            ]
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                assert len(here) == 1 and requirement.specifier.contains(here[0]), f"{name}: {requirement}; make lock"
        assert "make lock" in lines[1]
        assert not [line for line in lines if "://" in line or "/tmp" in line or line.startswith("--")]


# === Engines ===


def test_an_engine_is_tried_in_a_process_of_its_own():
    answer = engines.probe("openvino")
    assert answer["version"].startswith("OpenVINO 20") and isinstance(answer["bfloat16"], bool)


@pytest.mark.slow
def test_keras_is_tried():
    assert engines.probe("keras")["version"].startswith("Keras 3")


def test_what_becomes_of_an_engine_that_does_not_work(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["probe", "broken"])

    def broken():
        raise RuntimeError("no such instruction")

    monkeypatch.setitem(probe.ENGINES, "broken", broken)
    probe.main()
    assert json.loads(capsys.readouterr().out) == {"error": "RuntimeError: no such instruction"}
    with pytest.raises(RuntimeError, match=r"gave \[\[1.0\]\]; expected"):
        probe._require_relu(np.ones((1, 1)))


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [
        (-4, "", "ended with code -4: it said nothing"),
        (1, "Traceback\nImportError: libx", "code 1: ImportError"),
        (0, "", "code 0"),
    ],
)
def test_an_engine_that_ends_its_process_is_told(code, said, why, monkeypatch):
    done = subprocess.CompletedProcess([], code, "", said)
    monkeypatch.setattr(engines.subprocess, "run", lambda *_, **__: done)
    assert why in engines.probe("keras")["error"]
    keras = named(engines.engine_findings(), "keras")
    assert not keras.works and keras.core and keras.advice


def test_without_openvino_keras_judges(without, monkeypatch):
    without("openvino")
    monkeypatch.setattr(engines, "probe", lambda name: {"version": "-"})
    finding = named(engines.engine_findings(), "openvino")
    assert not finding.works and not finding.core
    assert "pip install 'dfcore[openvino]'" in finding.advice


def test_a_driver_without_libraries_is_told(monkeypatch):
    monkeypatch.setattr(engines.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    assert "tensorflow[and-cuda]" in engines._gpus([]).advice
    assert engines._gpus(["H100"]).detail == "H100"
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    assert engines._gpus([]).works, "no GPU is no fault"


# === The system ===


def test_a_system_without_limits_says_so(monkeypatch):
    assert all(processes.limits().values()), "Linux has all"
    monkeypatch.setattr(processes, "_STATM", ROOT / "gone")
    assert [name for name, limited in processes.limits().items() if not limited] == ["memory"], "macOS"
    monkeypatch.setattr(processes, "resource", None)
    findings = [each for each in system.sandbox_findings() if each.name.startswith("limit")]
    assert len(findings) == 4, "Windows"
    assert all(not each.works and not each.core and "on Linux" in each.advice for each in findings)


def test_decoding_that_fails_is_a_failure_of_the_core(monkeypatch):
    def refuse(data):
        raise DfcoreError("No process to decode images in could be started: no.")

    monkeypatch.setattr(system.sandbox, "decode", refuse)
    finding = named(system.sandbox_findings(), "decoding")
    assert finding.core and not finding.works and "No process" in finding.detail and finding.advice
    monkeypatch.setattr(system.sandbox, "decode", lambda data: np.zeros((2, 2, 3), np.uint8))
    assert "other pixels" in named(system.sandbox_findings(), "decoding").detail


def test_a_build_without_a_format_or_fonts_is_told(monkeypatch):
    monkeypatch.setattr(system.features, "check", lambda codec: codec != "avif")
    assert named(system.sandbox_findings(), "image formats").detail == "not read: AVIF"

    def lacks(size):
        raise ImportError("The _imagingft C module is not installed")

    monkeypatch.setattr(ImageFont, "load_default", lacks)
    assert not next(system.font_findings()).works


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DFCORE_RUNS", str(tmp_path / "file" / "runs"))
    finding = named(system.folder_findings(), "runs")
    assert not finding.works and "cannot be written to" in finding.detail and "DFCORE_RUNS" in finding.advice


def test_little_space_is_told(monkeypatch):
    monkeypatch.setattr(system.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 2**29})())
    finding = named(system.folder_findings(), "cache")
    assert not finding.works and "0.5 GB free" in finding.detail and "Less than 1 GB" in finding.advice


def test_a_gigabyte_is_the_same_wherever_space_is_told(monkeypatch):
    monkeypatch.setattr(system.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 71 * 10**9})())
    assert "71.0 GB free" in named(system.folder_findings(), "cache").detail


# === Missing extras ===


def test_without_plotly_a_figure_names_what_to_install(without):
    without("plotly")
    with pytest.raises(MissingExtraError, match=r"A figure needs plotly.*pip install 'dfcore\[app\]' installs it"):
        figures.reliability({}, None)


@pytest.mark.parametrize("module", ["streamlit", "plotly"])
def test_without_its_packages_the_dashboard_names_what_to_install(module, without, capsys):
    without(module)
    assert main(["app"]) == 2
    assert capsys.readouterr().err == (
        f"dfcore: The dashboard needs {module}, which is not installed. pip install 'dfcore[app]' installs it.\n"
    )


def test_without_openvino_its_engine_names_what_to_install(without, capsys):
    without("openvino")
    folder = ROOT / "models" / "small"
    assert main(["predict", str(folder), str(ROOT / "docs" / "load.png"), "--engine", "openvino"]) == 2
    assert "pip install 'dfcore[openvino]' installs it" in capsys.readouterr().err


def test_an_extra_is_asked_for_without_being_imported(without):
    extras.require("plotly", "app", "A figure")
    without("plotly")
    with pytest.raises(MissingExtraError, match="A figure needs plotly"):
        extras.require("plotly", "app", "A figure")
    assert issubclass(MissingExtraError, InputError)
