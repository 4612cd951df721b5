"""A report as one HTML file: no scripts, nothing loaded from elsewhere, pictures inside."""

import base64
from collections.abc import Iterator
from html import escape

from dfcore.reports.blocks import Block, Command, Facts, Grid, Items, Note, Part, Pictures, Report, Section, Shown, Text
from dfcore.reports.pictures import scale_bar
from dfcore.reports.words import MOST_TITLE, command, lines, visible
from dfcore.utils.html import page

_STYLE = """
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3, h4 { line-height: 1.25; overflow-wrap: anywhere; break-after: avoid; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.4rem; } h3 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
h4 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
article { border-top: 2px solid #8886; padding: .5rem 0 1.5rem; }
p, li { margin: .4rem 0; overflow-wrap: anywhere; } .small { font-size: .86rem; }
.strong { font-size: 1.1rem; font-weight: 600; } .warning { border-left: .3rem solid #8888; padding-left: .7rem; }
.warning { font-weight: 600; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 1.2rem; }
figure { margin: .6rem 0; break-inside: avoid; } figcaption { font-size: .84rem; overflow-wrap: anywhere; }
figure img { width: 100%; height: auto; max-height: 32rem; object-fit: contain; object-position: left top; }
.scale { display: grid; grid-template-columns: auto 1fr auto; gap: .5rem; align-items: center; font-size: .84rem; }
.scale img { height: .6rem; max-height: none; object-fit: fill; }
dl { display: grid; grid-template-columns: minmax(7rem, 14rem) 1fr; gap: .25rem 1rem; margin: .5rem 0; }
dt { font-weight: 600; overflow-wrap: anywhere; } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; margin: .5rem 0; font-size: .92rem; }
td, th { border: 1px solid #8884; padding: .25rem .55rem; text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; min-width: 6.2rem; } tr { break-inside: avoid; }
.exact dd, .exact td, code { font-family: ui-monospace, Consolas, Menlo, monospace; font-size: .86rem; }
pre { border: 1px solid #8886; border-radius: 6px; padding: .6rem .8rem; white-space: pre-wrap; }
pre { overflow-wrap: anywhere; } blockquote { margin: .6rem 0; border-left: .2rem solid #8886; padding-left: .8rem; }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; } }
@media print { :root { color-scheme: light; font-size: 10.5pt; } body { margin: 0; max-width: none; }
article + article { break-before: page; } .wide { overflow: visible; } @page { margin: 16mm; }
.pictures { grid-template-columns: 1fr 1fr; } figure img { max-height: 9cm; } .scale img { max-height: none; } }
"""


def to_html(report: Report) -> str:
    """The report as HTML that opens from a file, without a network."""
    head = f"<h1>{_title(report.title)}</h1><div class='exact'>{_facts(_about(report))}</div>"
    parts = "".join(_part(part, number) for number, part in enumerate(report.parts))
    foot = "<footer><p class='small'>A verdict is an aid, no proof.</p></footer>"
    return page(
        visible(report.title, MOST_TITLE),
        _STYLE,
        f"<header>{head}</header>{_contents(report)}<main>{parts}</main>{foot}",
    )


def _about(report: Report) -> Facts:
    rows = (("Report", report.id), ("Made", report.made), ("By", report.by), ("With", report.tool),
            ("SHA-256 of its contents", report.sha256))  # fmt: skip
    return Facts(rows)


def _contents(report: Report) -> str:
    if len(report.parts) < 2:
        return ""
    links = "".join(f"<li><a href='#p{n}'>{_title(part.title)}</a></li>" for n, part in enumerate(report.parts))
    return f"<nav><h2>Contents</h2><ol>{links}</ol></nav>"


def _part(part: Part, number: int) -> str:
    sections = "".join(_section(one) for one in part.sections)
    return f"<article id='p{number}'><h2>{_title(part.title)}</h2>{sections}</article>"


def _section(one: Section) -> str:
    level = one.level + 1
    return f"<section><h{level}>{_title(one.title)}</h{level}>{''.join(map(_block, one.blocks))}</section>"


def _block(block: Block) -> str:
    match block:
        case Text():
            return f"<p class='{block.kind}'>{_text(block.text)}</p>"
        case Items():
            return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in block.items)}</ul>"
        case Facts():
            return _exact(_facts(block), block.exact)
        case Grid():
            return _exact(f"<div class='wide'><table>{''.join(_rows(block))}</table></div>", block.exact)
        case Pictures():
            return f"<div class='pictures'>{''.join(map(_figure, block.shown))}</div>"
        case Command():
            return f"<pre><code>{escape(command(block.arguments))}</code></pre>"
        case Note():
            said = "<br>".join(f"<bdi>{escape(line)}</bdi>" for line in lines(block.text))
            return f"<blockquote><p>{said}</p><p class='small'>{_text(block.about)}</p></blockquote>"


def _facts(block: Facts) -> str:
    return f"<dl>{''.join(f'<dt>{_text(name)}</dt><dd>{_text(value)}</dd>' for name, value in block.rows)}</dl>"


def _rows(grid: Grid) -> Iterator[str]:
    yield f"<thead><tr>{''.join(f'<th scope=col>{_text(title)}</th>' for title in grid.head)}</tr></thead><tbody>"
    for row in grid.rows:
        yield f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>"
    yield "</tbody>"


def _figure(one: Shown) -> str:
    scale = ""
    if one.scale:
        low, high = map(_text, one.scale)
        scale = f"<div class='scale'><span>{low}</span><img alt='' src='{_address(scale_bar(), 'png')}'>{high}</div>"
    source = _address(one.data, one.kind)
    caption = f"<figcaption>{_text(one.caption)}</figcaption>"
    return f"<figure><img alt='{_title(one.alt)}' src='{source}'>{scale}{caption}</figure>"


def _exact(inner: str, exact: bool) -> str:
    return f"<div class='exact'>{inner}</div>" if exact else inner


def _address(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _title(value: object) -> str:
    return escape(visible(value, MOST_TITLE))


def _text(value: object) -> str:
    """Escaped, also for attributes, with nothing hidden in it."""
    return escape(visible(value))
