"""Reports put together, drawn and written; the suffix of the file chooses the format."""

from collections.abc import Sequence
from pathlib import Path

from dfcore.errors import InputError
from dfcore.reports.blocks import Part, Report
from dfcore.reports.html import to_html
from dfcore.reports.versions import TOOL
from dfcore.utils.files import write_bytes

HTML, PDF = (".html", ".htm"), (".pdf",)
FORMATS = (*HTML, *PDF)
# Pictures of one report: they are in memory together, and nobody reads more.
MOST = 500


def report_of(title: str, parts: Sequence[Part], made: str, by: str) -> Report:
    """A report of some parts.

    Args:
        title: What it is of.
        parts: Its contents, at most `MOST` pictures.
        made: When, ISO 8601, UTC, see `dfcore.detectors.bundle.now`.
        by: Who makes it.

    Raises:
        InputError: If there are too many.
    """
    require_few(len(parts))
    return Report(title, tuple(parts), made, by, TOOL)


def require_few(pictures: int) -> None:
    """Checks how many pictures a report is asked for, before anything is computed.

    Raises:
        InputError: If there are more than `MOST`.
    """
    if pictures > MOST + 1:
        raise InputError(
            f"Expected at most {MOST} pictures in a report. Received: {pictures:,}. Make several reports, or use "
            "dfcore predict, which gives a table."
        )


def rendered(report: Report, suffix: str) -> bytes:
    """A report in a format.

    Args:
        report: The report.
        suffix: One of `FORMATS`.

    Raises:
        InputError: If there is no such format, or what makes PDFs is not installed.
    """
    if suffix.lower() in HTML:
        return to_html(report).encode()
    if suffix.lower() in PDF:
        from dfcore.reports.pdf import to_pdf

        return to_pdf(report)
    raise InputError(f"Expected a file ending in {', '.join(FORMATS)}. Received: {suffix}.")


def write_report(report: Report, path: Path) -> None:
    """Writes a report atomically; the suffix chooses the format.

    Raises:
        InputError: See `rendered`.
        StorageError: If it cannot be written.
    """
    write_bytes(path, rendered(report, Path(path).suffix))
