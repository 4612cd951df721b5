"""Compares installed packages with the requirements of dfcore."""

import tomllib
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from dfcore import workspace
from dfcore.diagnostics.finding import Finding
from dfcore.utils import extras

_PURPOSES = {
    "openvino": "judges images several times as fast on CPUs",
    "heic": "reads HEIC, the pictures of phones",
    "films": "reads films",
    "pdf": "writes reports as PDF",
    "hub": "data sets and detectors from Kaggle and the Hugging Face Hub",
    "export": "exports to ONNX and LiteRT",
    "serve": "the service over HTTP",
    "mlflow": "mirrors runs to MLflow",
    "postgresql": "keeps cases in PostgreSQL",
    "app": "the dashboard and all figures",
    "dev": "only for work on dfcore itself",
}


def package_findings() -> Iterator[Finding]:
    """A finding per package of the core, then one per extra."""
    for requirement in requirements():
        problem = problem_of(requirement)
        advice = f"pip install '{requirement.name}{requirement.specifier}' installs one that fits." if problem else ""
        yield Finding(
            "packages", requirement.name, not problem, problem or str(_version(requirement.name)), advice, core=True
        )
    for extra, purpose in _PURPOSES.items():
        wanted = requirements(extra)
        problems = [problem for each in wanted if _version(each.name) and (problem := problem_of(each))]
        if missing := [each.name for each in wanted if _version(each.name) is None]:
            problems.append(f"not installed: {', '.join(missing)}")
        detail = "; ".join([purpose, *problems])
        advice = f"{extras.install(extra)} installs it, if you want it." if problems else ""
        yield Finding("extras", extra, not problems, detail, advice)


def requirements(extra: str = "") -> list[Requirement]:
    """Requirements on this system of the core, or those an extra adds, with the extras that it includes."""
    result = []
    for requirement in _declared(extra):
        if requirement.name == "dfcore":
            result += [each for name in sorted(requirement.extras) for each in requirements(name)]
        else:
            result.append(requirement)
    return result


def problem_of(requirement: Requirement) -> str:
    """What is wrong with a requirement's package; empty if it is satisfied."""
    version = _version(requirement.name)
    if version is None:
        return f"{requirement.name} is not installed"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version} is installed, expected {requirement.specifier}"
    return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _declared(extra: str) -> list[Requirement]:
    """Requirements from pyproject.toml in a checkout, otherwise from the metadata of the installed package."""
    root = workspace.checkout()
    if root:
        table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        lines = table["optional-dependencies"][extra] if extra else table["dependencies"]
        declared = [Requirement(line) for line in lines]
        return [each for each in declared if each.marker is None or each.marker.evaluate()]
    all_lines = [Requirement(line) for line in metadata.requires("dfcore") or ()]
    core = [each for each in all_lines if each.marker is None or each.marker.evaluate({"extra": ""})]
    if not extra:
        return core
    return [each for each in all_lines if each not in core and each.marker and each.marker.evaluate({"extra": extra})]
