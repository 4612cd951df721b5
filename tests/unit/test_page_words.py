"""Messages of the library, in the words of the pages."""

import re
from pathlib import Path

import pytest

import dfcore
from dashboard import mapping_form
from dashboard.page_words import COLUMNS, page_words

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
        ("Expected --epochs of at least 1.", "Expected --epochs of at least 1."),
    ],
)  # fmt: skip
def test_options_become_controls(message, shown):
    assert page_words(message) == shown
