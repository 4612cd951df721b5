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


def plant(tree, which: str) -> tuple[str, str]:
    """Plants a fault in Home; returns the kind of fault and the words that should be reported."""
    kind, words, code = _PLANTED[which]
    page = tree / "pages" / "home.py"
    page.write_text(page.read_text().replace("require_front_door()\n", _ENDS, 1) + code)
    return kind, words


def walk_home(browser, tree, workspace) -> monkey.Walk:
    workspace.mkdir()
    with monkey.served(workspace, tree) as address:
        return monkey.walk(browser, address, workspace, seed=3, seconds=300, pages=("",))


@pytest.mark.parametrize("which", _PLANTED)
def test_a_planted_fault_is_found(browser, tree, tmp_path, which):
    kind, words = plant(tree, which)
    done = walk_home(browser, tree, tmp_path / "work")
    assert done.fault is not None
    assert done.fault.kind == kind
    assert words in done.fault.what
    assert done.screenshot.startswith(b"\x89PNG")
    assert "Planted toggle" in monkey.report(done, 3, tmp_path)


def test_the_steps_lead_to_the_fault_again_until_it_is_mended(browser, tree, tmp_path):
    plant(tree, next(iter(_PLANTED)))
    done = walk_home(browser, tree, tmp_path / "first")
    steps = monkey.read_steps(monkey.keep(done, 3, tmp_path / "kept"))
    assert steps == done.steps
    for name, root in (("again", tree), ("mended", ROOT)):
        workspace = tmp_path / name
        workspace.mkdir()
        with monkey.served(workspace, root) as address:
            repeated = monkey.replay(browser, address, workspace, steps)
        assert len(repeated.steps) == len(steps)
        assert done.fault.like(repeated.fault) == (root == tree)
