"""The review by keyboard: each press counts once, for the picture that was in sight, and nothing else counts."""

import pytest
from streamlit.testing.v1 import AppTest

SCRIPT = """
import streamlit as st
from dashboard import review_keys
for press in review_keys.presses("keys"):
    st.text(f"{press.action} {press.picture} {press.decision}")
review_keys.show("a", "a.png", key="keys", number=0, total=2)
"""


@pytest.fixture
def given(monkeypatch) -> list[dict]:
    """What the component was given, run by run."""
    from dashboard import review_keys

    result: list[dict] = []
    monkeypatch.setattr(review_keys, "_bar", lambda *, data, **_: result.append(data))
    return result


def pressed(app: AppTest, *presses) -> list[str]:
    app.session_state["keys"] = {"pressed": list(presses)}
    app.run()
    assert not app.exception, app.exception[0].message
    return [text.value for text in app.text]


def press(number: int, action: str, picture: str = "a") -> dict:
    return {"number": number, "action": action, "picture": picture}


def test_each_press_counts_once_and_in_order(given):
    app = AppTest.from_string(SCRIPT).run()
    assert not app.text and given[-1]["handled"] == 0 and given[-1]["name"] == "a.png"
    assert pressed(app, press(1, "fake"), press(2, "next")) == ["fake a fake", "next a None"]
    assert given[-1]["handled"] == 2
    # The browser has not heard yet that they were handled, and one more was pressed.
    assert pressed(app, press(1, "fake"), press(2, "next"), press(3, "real", "b")) == ["real b real"]
    assert pressed(app, press(3, "real", "b")) == []
    assert pressed(app) == []


@pytest.mark.parametrize(
    "nonsense", [None, 7, [], {"action": "fake"}, press(1, "delete"), press("1", "real"), press(1, "real", 5), "R"]
)
def test_what_no_sound_browser_sends_is_no_press(given, nonsense):
    app = AppTest.from_string(SCRIPT).run()
    assert pressed(app, nonsense) == []
    app.session_state["keys"] = {"pressed": nonsense}
    assert not app.run().exception
    assert pressed(app, press(1, "undecided")) == ["undecided a undecided"], "and a sound one still counts"
