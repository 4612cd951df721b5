"""Messages of the library, in the words of the pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dfcore
from dashboard import mapping_form
from dashboard.page_words import COLUMNS, STARTING_WEIGHTS, page_words, setting_words
from dfcore.training.config import form_fields

# What reading a data set may name; `page_words` knows a control for each.
_KNOWN = {"columns", "labels", "class-folders", "groups"}


def test_every_option_that_reading_a_data_set_names_has_a_control():
    source = "".join(path.read_text() for path in (Path(dfcore.__file__).parent / "datasets").glob("*.py"))
    assert set(re.findall(r"--([a-z][a-z-]+)", source)) == _KNOWN
    assert [title for title, _ in mapping_form._MEANINGS.values()] == list(COLUMNS.values())


def test_every_option_that_a_push_names_has_a_control():
    source = (Path(dfcore.__file__).parent / "hub" / "push.py").read_text()
    named = set(re.findall(r"--[a-z][a-z-]+", source))
    assert "--license" in named and not [option for option in named if option in page_words(f"({option})")]


# What no page shows: the command line itself, the service and what watches folders, what only a command can ask for,
# commands that are told whole; and reading data sets, see above.
_ELSEWHERE = (
    "commands/", "service/", "watch/", "cli.py", "compat.py", "diagnostics/", "reports/repeat.py", "hub/model_card.py",
    "detectors/fast_engine.py", "films/dataset/make.py", "training/adapt.py", "trackers/", "datasets/",
)  # fmt: skip


def _texts(tree: ast.AST) -> Iterator[str]:
    """The texts of a module but its docstrings, with X for what is put into them."""
    passed_over = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            passed_over |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node.value


def test_no_message_that_reaches_a_page_names_an_option_of_the_command_line():
    root = Path(dfcore.__file__).parent
    modules = [path for path in root.rglob("*.py") if not path.relative_to(root).as_posix().startswith(_ELSEWHERE)]
    texts = [text for path in modules for text in _texts(ast.parse(path.read_text()))]
    named = [text for text in texts if re.search(r"(?<![\w-])--[a-z]", text)]
    assert len(named) > 10 and not [text for text in named if "--" in page_words(text)]
    assert form_fields()["weights"].label == STARTING_WEIGHTS


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("say which they are with --columns path=…,label=….", "say which they are with the lists “Image file” and "
         "“Class”."),
        ("what the values mean, with --labels real=…,fake=… (it is remembered), or another column, with --columns "
         "label=COLUMN.", "what the values mean, with “Means real” and “Means fake” (it is remembered), or another "
         "column, with the list “Class”."),
        ("Choose with --labels real=0,fake=1 or --labels real=1,fake=0.", "Choose with “Means real” 0 and “Means fake” "
         "1 or “Means real” 1 and “Means fake” 0."),
        ("say which: --class-folders real=…,fake=…. Layouts", "say which: “Means real” and “Means fake”. Layouts"),
        ("--class-folders real=my photos+v1.2,fake=b", "“Means real” my photos+v1.2 and “Means fake” b"),
        ("turn this off with --groups none.", "turn this off with “Images that belong together”: Nothing but copies."),
        ("Give its folder another name (--name).", "Give its folder another name (“Name of its folder”)."),
        ("Say which it shall be (--license). --license bigscience-openrail-m keeps it.", "Say which it shall be "
         "(“Licence”). “Licence” bigscience-openrail-m keeps it."),
        ("State one (--license apache-2.0, for example), or", "State one (“Licence” apache-2.0, for example), or"),
        ("Say which: --without-predictions or --with-predictions.", "Say which: “Scores of its images”: without or "
         "“Scores of its images”: with."),
        ("Say so if it shall be (--public), or", "Say so if it shall be (“Who sees it”: Everybody), or"),
        ("None of the 2 pictures that were decided on was kept or found. Name the folders where they are with "
         "--pictures.", "None of the 2 pictures that were decided on was kept or found. Open them in Inspect and "
         "choose “Keep the picture” there."),
        ("Give a weights file or train with --weights none.", "Give a weights file or train with “Weights to start "
         "from”: None: train from scratch."),
        ("Expected --epochs of at least 1.", "Expected --epochs of at least 1."),
    ],
)  # fmt: skip
def test_options_become_controls(message, shown):
    assert page_words(message) == shown


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        ("first_block: expected at most last_block, 8. Received: 9",
         "“First block”: expected at most “Last block”, 8. Received: 9"),
        ("loss: expected binary. Received: 'loss'", "“Loss”: expected binary. Received: 'loss'"),
        ("size: expected 16 to 1024 pixels. Received: 4", "size: expected 16 to 1024 pixels. Received: 4"),
    ],
)  # fmt: skip
def test_settings_are_named_as_on_train(problem, shown):
    assert setting_words(problem) == shown
