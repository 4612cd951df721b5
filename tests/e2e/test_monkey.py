"""A short walk at random through everything; and that the walker sees faults and leads to them again."""

import shutil

import pytest

from tests.e2e import monkey
from tests.e2e.server import ROOT

pytestmark = pytest.mark.browser
_SEED, _SECONDS = 16, 75
_PLANTED = {
    "an error behind two controls": (
        "log", "ValueError: planted",
        "if st.toggle('Planted toggle') and st.button('Planted button'):\n    raise ValueError('planted')\n",
    ),
    "a page that ends before it has begun": (
        "no content", "heading ''",
        "st.toggle('Planted toggle', key='planted')\n",
    ),
}  # fmt: skip
_ENDS = "require_front_door()\nif st.session_state.get('planted'):\n    st.stop()\n"


def test_a_short_walk_breaks_nothing(browser, filled):
    with monkey.served(filled) as address:
        done = monkey.walk(browser, address, filled, seed=_SEED, seconds=_SECONDS)
    assert done.fault is None, monkey.report(done, _SEED, monkey.keep(done, _SEED))
    assert len(done.used) > 5


@pytest.fixture
def tree(tmp_path):
    """A checkout whose pages may be changed."""
    folder = tmp_path / "tree"
    for name in ("pages", "dashboard", ".streamlit"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "streamlit_app.py", folder)
    for name in ("dfcore", "models"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.parametrize("which", _PLANTED)
def test_a_planted_fault_is_found_and_found_again(browser, tree, tmp_path, which):
    kind, words, code = _PLANTED[which]
    page = tree / "pages" / "home.py"
    text = page.read_text()
    page.write_text(text.replace("require_front_door()\n", _ENDS, 1) + code)
    first, again, mended = (tmp_path / name for name in ("first", "again", "mended"))
    for workspace in (first, again, mended):
        workspace.mkdir()
    with monkey.served(first, tree) as address:
        done = monkey.walk(browser, address, first, seed=3, seconds=180, pages=("",))
    assert done.fault is not None
    assert done.fault.kind == kind
    assert words in done.fault.what
    assert done.screenshot.startswith(b"\x89PNG")
    file = monkey.keep(done, 3, tmp_path / "kept")
    assert "Planted toggle" in monkey.report(done, 3, file)

    steps = monkey.read_steps(file)
    assert steps == done.steps
    with monkey.served(again, tree) as address:
        repeated = monkey.replay(browser, address, again, steps)
    assert done.fault.like(repeated.fault)
    assert len(repeated.steps) == len(steps)
    with monkey.served(mended) as address:
        assert monkey.replay(browser, address, mended, steps).fault is None
