"""Inspections as one page of HTML that stands alone."""

import shlex
from collections.abc import Iterator, Sequence

from dfcore import forensics
from dfcore.confidence import FINDINGS
from dfcore.detectors.verdict import Verdict
from dfcore.explanation import overlay
from dfcore.inspection.inspect import Inspection
from dfcore.utils.html import page, picture, text

_STYLE = """
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
article { border-top: 2px solid #8886; padding: 1rem 0 2rem; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.5rem; }
img { width: 100%; height: auto; max-height: 32rem; object-fit: contain; }
figure { margin: 0; } figcaption { font-size: .85rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
dt { font-weight: 600; } .line { border: 1px solid #8886; border-radius: 6px; padding: .5rem 1rem; }
table { border-collapse: collapse; } td, th { border: 1px solid #8884; padding: .2rem .6rem; text-align: left; }
"""
_NO_TRACE = "<p>Nothing in the file names a generator, an editor or a camera.</p>"
_ANSWERS = {"conclusion": "Conclusion", "sure": "How sure", "why": "Why", "next": "Next"}


def whole_page(title: str, articles: Sequence[str], version: str, created: str) -> str:
    """The page, as HTML.

    Args:
        title: What was inspected.
        articles: An `article` for each image.
        version: Version of this program.
        created: Time, ISO 8601.
    """
    foot = f"<footer><p>Made by dfcore {text(version)}, {text(created)}. A verdict is an aid, no proof.</p></footer>"
    return page(f"Inspection of {title}", _STYLE, f"<h1>Inspection of {text(title)}</h1>{''.join(articles)}{foot}")


def article(one: Inspection) -> str:
    """One inspection, as HTML to be put into `whole_page`."""
    said = FINDINGS[one.verdict.finding].capitalize() if one.verdict.finding else "No verdict"
    lines = (f"<dt>{title}</dt><dd>{text(getattr(one.answers, key))}</dd>" for key, title in _ANSWERS.items())
    return (
        f"<article><h2>{text(one.name)}</h2><p class='line'>{text(one.evidence.summary)}</p>"
        f"<div class='two'><div>{''.join(_pictures(one))}</div><div><h3>{text(said)}</h3>"
        f"<dl>{''.join(lines)}</dl>{''.join(f'<p>{text(limit)}</p>' for limit in one.card.limits[:1])}</div></div>"
        f"{_all_detectors(one)}{''.join(_evidence(one))}{''.join(_figures(one))}{_file(one)}</article>"
    )


def _pictures(one: Inspection) -> Iterator[str]:
    if one.preview is None:
        return
    yield f"<figure>{picture(one.preview, f'The image {one.name}')}<figcaption>The image</figcaption></figure>"
    if one.heatmap is not None:
        drawn = picture(overlay(one.preview, one.heatmap), "The image under its heat-map")
        caption = f"Brighter: more evidence of {one.heatmap.target}. It is no proof of editing."
        yield f"<figure>{drawn}<figcaption>{text(caption)}</figcaption></figure>"


def _all_detectors(one: Inspection) -> str:
    def cells(title: str, verdict: Verdict) -> Iterator[str]:
        yield title
        yield FINDINGS[verdict.finding] if verdict.finding else "no verdict"
        yield "" if verdict.score is None else f"{verdict.score:.3f}"
        yield verdict.error or verdict.reason or ""

    rows = "".join(
        f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in cells(title, each))}</tr>"
        for title, each in one.others.items()
    )
    head = "<tr><th>Detector</th><th>Verdict</th><th>Score, on its own scale</th><th>Remark</th></tr>"
    return f"<h3>All detectors</h3><p>{text(one.agreement)}</p><table>{head}{rows}</table>"


def _evidence(one: Inspection) -> Iterator[str]:
    evidence = one.evidence
    yield "<h3>The file's own evidence</h3>"
    items = [f"{source.text} ({source.place})" for source in evidence.sources]
    items += [f"{remark.text} {remark.meaning}" for remark in evidence.remarks]
    items += list(evidence.unreadable)
    yield f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>" if items else _NO_TRACE
    for group, values in evidence.metadata.items():
        yield f"<details><summary>{text(group)}</summary>{_definitions(values)}</details>"


def _figures(one: Inspection) -> Iterator[str]:
    if not one.figures:
        return
    yield "<h3>Forensic figures</h3><p>None of them is a verdict; each says how to read it, and when it misleads.</p>"
    for key, view in one.figures["views"].items():
        kind = forensics.VIEWS[key]
        yield (
            f"<details><summary>{text(kind.title)}</summary><p>{text(kind.reads)} {text(kind.misleads)}</p>"
            f"<p>{text(' '.join(view['words']))}</p></details>"
        )
    left = ", ".join(forensics.VIEWS[key].title for key in one.figures["left_out"])
    yield f"<p>Not computed, since they take longer: {text(left)}.</p>" if left else ""


def _file(one: Inspection) -> str:
    if one.facts is None:
        return ""
    facts = one.facts
    values = {
        "Format": facts.format, "Size": f"{facts.width} x {facts.height} pixels, {facts.bytes:,} bytes",
        "SHA-256": facts.sha256, "Detector": f"{one.card.title}, network {one.card.model_sha256}",
    }  # fmt: skip
    # Several detectors were asked only where none was named.
    named = ["--detector", one.detector] if len(one.others) == 1 else []
    again = shlex.join(["dfcore", "inspect", one.name, *named])
    return f"<h3>How to repeat it</h3>{_definitions(values)}<p><code>{text(again)}</code></p>"


def _definitions(values: dict[str, str]) -> str:
    rows = (f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in values.items())
    return f"<dl>{''.join(rows)}</dl>"
