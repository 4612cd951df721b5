"""Thumbnails inside tables: up to three examples in columns of their own."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import stored

# Height of a row in pixels, and rows in sight.
SIDE, _ROWS = 54, 7
_NAMES = ("Image 1", "Image 2", "Image 3")


def columns(root: Path, paths: Sequence[str]) -> dict[str, str | None]:
    """Cells of one row: its examples, None where there are fewer than three."""
    shown = [_picture(root / path) for path in paths[: len(_NAMES)]]
    return dict(zip(_NAMES, [*shown, *[None] * len(_NAMES)], strict=False))


def config() -> dict[str, Any]:
    """Configuration of the columns."""
    return {
        name: st.column_config.ImageColumn(" " * number, width=SIDE, help="Examples; double click to enlarge.")
        for number, name in enumerate(_NAMES, 1)
    }


def height(rows: int) -> int:
    """Height of a table in pixels; more rows are scrolled."""
    return 37 + SIDE * min(rows, _ROWS)


def _picture(file: Path) -> str | None:
    picture = stored.thumbnail(str(file), stored.stamp(file), side=SIDE)
    return None if picture is None else "data:image/png;base64," + base64.b64encode(picture).decode()
