"""What holds for every page and building block of the dashboard, read from their code."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dfcore import figures

ROOT = Path(__file__).parents[2]
FILES = {
    str(file.relative_to(ROOT)): ast.parse(file.read_text())
    for folder in ("pages", "dashboard")
    for file in sorted((ROOT / folder).glob("*.py"))
}
# What draws a picture, a chart or a table; the first are drawn through `dashboard.widgets` alone.
WRAPPED, DRAWN = {"plotly_chart", "dataframe"}, {"image", "line_chart", "table", "chart"}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Names of the methods and functions that are called, with the calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func.attr, node


def has_alt(call: ast.Call) -> bool:
    return len(call.args) > 2 or any(keyword.arg == "alt" for keyword in call.keywords)


def of_streamlit(call: ast.Call) -> bool:
    """Whether it is Streamlit's own, and not one of ours with the same name."""
    owner = call.func.value
    return not (
        isinstance(owner, ast.Name)
        and owner.id in ("widgets", "prediction_sources", "stored", "figures", "store", "judgement_rows")
    )


@pytest.mark.parametrize("file", sorted(FILES))
def test_pictures_charts_and_tables_have_text_alternatives_and_dashes_for_what_is_missing(file):
    for name, call in calls(FILES[file]):
        if name in WRAPPED and of_streamlit(call):
            assert file == "dashboard/widgets.py", f"line {call.lineno}: use widgets.chart or widgets.table"
        if name in DRAWN and of_streamlit(call):
            assert has_alt(call), f"line {call.lineno}: {name} has no alt"


@pytest.mark.parametrize("file", sorted(set(FILES) - {"dashboard/navigation.py"}))
def test_pages_change_through_one_function(file):
    """`st.switch_page` by itself raises where a widget that is bound to the address is not at its default."""
    assert "switch_page" not in {name for name, _ in calls(FILES[file])}


@pytest.mark.parametrize("file", sorted(FILES))
def test_every_dialog_can_be_cancelled_and_nothing_that_destroys_is_primary(file):
    for node in ast.walk(FILES[file]):
        if isinstance(node, ast.FunctionDef) and any("dialog" in ast.unparse(one) for one in node.decorator_list):
            assert "dialogs.decide" in ast.unparse(node), f"{node.name} has no Cancel"
    for name, call in calls(FILES[file]):
        primary = any(one.arg == "type" and "primary" in ast.unparse(one.value) for one in call.keywords)
        label = ast.unparse(call.args[0]) if call.args else ""
        if name == "button" and primary:
            assert not any(word in label.lower() for word in ("delete", "remove", "forget")), f"line {call.lineno}"


def test_charts_of_streamlit_have_the_colours_of_figures_which_are_neither_blue_nor_orange():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    for scheme in ("light", "dark"):
        assert theme[scheme]["chartCategoricalColors"] == list(figures.SERIES_COLOURS)
        assert theme[scheme]["primaryColor"] not in (theme[scheme]["blueColor"], theme[scheme]["orangeColor"])
