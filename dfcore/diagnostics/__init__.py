"""Checks what works on this machine: packages, engines, sandbox, fonts, folders. Does not import TensorFlow."""

from collections.abc import Callable, Iterator

from dfcore.diagnostics.engines import engine_findings
from dfcore.diagnostics.finding import Finding
from dfcore.diagnostics.packages import package_findings
from dfcore.diagnostics.system import folder_findings, font_findings, sandbox_findings

__all__ = ["Finding", "diagnose"]

_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    package_findings,
    engine_findings,
    sandbox_findings,
    font_findings,
    folder_findings,
)


def diagnose() -> Iterator[Finding]:
    """Runs all checks lazily; takes some seconds, since TensorFlow starts in a separate process."""
    for check in _CHECKS:
        yield from check()
