"""The page `/docs`: the OpenAPI description for people, as plain HTML, which loads nothing from anywhere."""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from html import escape
from typing import Any

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}
h2{margin-top:2.5rem;border-top:1px solid #ccc;padding-top:1rem}code,pre{font:14px/1.4 ui-monospace,monospace}
h2 code{font-size:1em}
pre{overflow-x:auto;padding:.75rem;background:#f2f2f2;border-radius:4px}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #ddd}
summary{cursor:pointer}a{color:#0b57a4}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#121212}pre{background:#1e1e1e}a{color:#8ab8f0}
th,td,h2{border-color:#444}}
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_EXAMPLES = {
    "/v1/predict": "curl -H 'Authorization: Bearer KEY' -F files=@photo.jpg -F files=@other.png {server}/v1/predict\n"
    "curl -H 'Authorization: Bearer KEY' -H 'Content-Type: image/jpeg' --data-binary @photo.jpg "
    "'{server}/v1/predict?detector=auto'",
    "/v1/explain": "curl -H 'Authorization: Bearer KEY' -H 'Accept: image/png' -F files=@photo.jpg "
    "{server}/v1/explain -o heatmap.png",
    "/v1/detectors": "curl -H 'Authorization: Bearer KEY' {server}/v1/detectors",
}


def page(description: dict[str, Any], server: str) -> str:
    """The page.

    Args:
        description: The OpenAPI description.
        server: Address of the service, for examples.
    """
    info = description["info"]
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>", f"<p>{escape(info['description'])}</p>",
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>. In the examples KEY stands for a key, and '
        "SERVICE for the name under which you reach this service.</p>",
    ]  # fmt: skip
    for path, operations in description["paths"].items():
        parts += [_operation(path, method, one, server) for method, one in operations.items()]
    schemas = description.get("components", {}).get("schemas", {})
    parts.append("<h2>Forms of answers</h2>")
    for name, schema in schemas.items():
        text = escape(json.dumps(schema, indent=2))
        parts.append(
            f'<details id="{escape(name)}"><summary><code>{escape(name)}</code></summary><pre>{text}</pre></details>'
        )
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"{''.join(parts)}</body></html>"
    )


def _operation(path: str, method: str, one: dict[str, Any], server: str) -> str:
    text = (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p><strong>{escape(one.get('summary', ''))}.</strong> "
    )
    text += f"{_marked(one.get('description', ''))}</p>"
    if path in _EXAMPLES:
        text += f"<pre>{escape(_EXAMPLES[path].replace('{server}', server))}</pre>"
    if parameters := one.get("parameters"):
        rows = [
            (f"<code>{escape(each['name'])}</code>", _kind(each["schema"]), escape(_said(each))) for each in parameters
        ]
        text += "<h3>Parameters of the address</h3>" + _table(("name", "value", "meaning"), rows)
    if body := one.get("requestBody"):
        kinds = ", ".join(f"<code>{escape(kind)}</code>" for kind in body["content"])
        text += f"<h3>Body</h3><p>{kinds}</p>"
    rows = [
        (escape(status), escape(each.get("description", "")), ", ".join(map(_content, each.get("content", {}).items())))
        for status, each in sorted(one["responses"].items())
    ]
    return text + "<h3>Answers</h3>" + _table(("status", "meaning", "form"), rows)


def _marked(text: str) -> str:
    """Words between backquotes as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _said(parameter: dict[str, Any]) -> str:
    return parameter.get("description") or parameter["schema"].get("description", "")


def _kind(schema: dict[str, Any]) -> str:
    found = schema.get("enum") or [one.get("type") for one in schema.get("anyOf", [])] or [schema.get("type", "")]
    text = escape(" or ".join(map(str, found)))
    low, high = schema.get("minimum"), schema.get("maximum")
    text += f", {low} to {high}" if low is not None and high is not None else ""
    return text + (f"; {escape(json.dumps(schema['default']))}" if schema.get("default") is not None else "")


def _content(item: tuple[str, dict[str, Any]]) -> str:
    kind, content = item
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f"<code>{escape(kind)}</code>" + (f' <a href="#{escape(name)}">{escape(name)}</a>' if name else "")


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f'<th scope="col">{one}</th>' for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
