"""An audit as one HTML file: no scripts, nothing loaded from elsewhere, thumbnails inside."""

from collections.abc import Callable, Iterator
from pathlib import Path

from dfcore import workspace
from dfcore.audit.finding import SEVERITIES, Audit, Finding
from dfcore.errors import ImageError
from dfcore.imaging import decoder, sandbox
from dfcore.utils.files import write_text
from dfcore.utils.html import page, picture
from dfcore.utils.html import text as _text

MOST_PAIRS, MOST_IMAGES, SIDE = 24, 48, 144
WORDS = {"high": "High", "medium": "Medium", "low": "Low", "ok": "Passed"}
_STYLE = """
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
section { border: 1px solid #8886; border-left-width: 6px; border-radius: 6px; }
section { padding: .2rem 1rem .8rem; margin: 1rem 0; }
.high { border-left-color: #c0392b; } .medium { border-left-color: #d68910; } .low { border-left-color: #b7950b; }
.ok { border-left-color: #7f8c8d; }
.badge { font-size: .8rem; font-weight: 600; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .8rem; }
.gallery.pairs { grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); }
.gallery p { grid-column: 1 / -1; margin: 0; }
figure { margin: 0; flex: 1; min-width: 0; } figcaption { font-size: .75rem; overflow-wrap: anywhere; }
.pair { display: flex; gap: .3rem; border: 1px solid #8884; border-radius: 6px; padding: .4rem; }
img, .missing { width: 100%; aspect-ratio: 1; background: #8883; }
img { display: block; object-fit: contain; }
.missing { display: grid; place-items: center; font-size: .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: .85rem; }
"""


def write_report(audit: Audit, path: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Writes the report.

    Args:
        audit: The audit.
        path: File to write.
        progress: Called with (findings done, findings in all).

    Raises:
        StorageError: If it cannot be written.
    """
    parts = []
    for number, finding in enumerate(audit.findings):
        parts.append(_section(audit, finding))
        if progress:
            progress(number + 1, len(audit.findings))
    write_text(path, _page(audit, parts))


def _page(audit: Audit, parts: list[str]) -> str:
    counts = audit.counts()
    summary = ", ".join(f"{counts[severity]} {WORDS[severity].lower()}" for severity in SEVERITIES)
    notes = "".join(f"<p>{_text(note)}</p>" for note in audit.notes)
    title = f"Audit of {audit.dataset}"
    return page(
        title,
        _STYLE,
        f"<h1>{_text(title)}</h1>"
        f"<p>{_text(audit.root)}: {audit.images:,} images ({audit.real:,} real, {audit.fake:,} fake). "
        f"Findings: {summary}. Made {_text(audit.created)}, seed {audit.seed}.</p>"
        f"{notes}{''.join(parts)}",
    )


def _section(audit: Audit, finding: Finding) -> str:
    lines = [
        f'<section class="{finding.severity}"><h2><span class="badge">{WORDS[finding.severity]}</span> '
        f"{_text(finding.title)}</h2>"
    ]
    lines += [f"<p>{_text(text)}</p>" for text in (finding.meaning,) if text]
    lines += [f"<p><b>What to do:</b> {_text(finding.advice)}</p>"] if finding.advice else []
    if finding.details:
        lines.append("<ul>" + "".join(f"<li>{_text(detail)}</li>" for detail in finding.details) + "</ul>")
    if finding.severity != "ok":
        kind = "gallery pairs" if finding.pairs else "gallery"
        lines.append(f'<div class="{kind}">{"".join(_gallery(Path(audit.root), finding))}</div>')
    if finding.figures:
        figures = "".join(f"<dt>{_text(name)}</dt><dd>{value:.4g}</dd>" for name, value in finding.figures.items())
        lines.append(f"<details><summary>Figures</summary><dl>{figures}</dl></details>")
    return "".join(lines) + "</section>"


def _gallery(root: Path, finding: Finding) -> Iterator[str]:
    if finding.pairs:
        for pair in finding.pairs[:MOST_PAIRS]:
            yield f'<div class="pair">{"".join(_figure(root, name) for name in pair)}</div>'
        shown, total = min(len(finding.pairs), MOST_PAIRS), finding.count
    else:
        yield from (_figure(root, name) for name in finding.images[:MOST_IMAGES])
        shown, total = min(len(finding.images), MOST_IMAGES), finding.count
    if 0 < shown < total:
        yield f"<p>{shown:,} of {total:,} are shown.</p>"


def _figure(root: Path, name: str) -> str:
    return f"<figure>{_thumbnail(root / name)}<figcaption>{_text(name)}</figcaption></figure>"


def _thumbnail(path: Path) -> str:
    try:
        if not workspace.readable(path):
            raise ImageError("outside of the readable folders")
        pixels = sandbox.decode(decoder.read_bytes(path), SIDE)
    except ImageError:
        return '<div class="missing">cannot be shown</div>'
    return picture(pixels)
