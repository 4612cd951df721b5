"""One browser for all end-to-end tests of a module, its pages, and a workspace full of everything."""

import shutil

import pytest

from tests.e2e.server import chromium
from tests.e2e.workspace import fill


@pytest.fixture(scope="module")
def browser():
    with chromium() as result:
        yield result


@pytest.fixture
def page(browser):
    """A page at 1440 by 900 pixels; fails the test if a script in it did."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    result = context.new_page()
    result.set_default_timeout(90_000)
    complaints: list[str] = []
    result.on("pageerror", lambda error: complaints.append(str(error)))
    yield result
    assert not complaints
    context.close()


@pytest.fixture(scope="session")
def _filled_once(tmp_path_factory):
    """A filled workspace, and a copy of it aside."""
    workspace = tmp_path_factory.mktemp("filled")
    fill(workspace)
    return workspace, shutil.copytree(workspace, tmp_path_factory.mktemp("aside") / "filled")


@pytest.fixture(scope="module")
def filled(_filled_once):
    """A filled workspace that a module may destroy."""
    workspace, aside = _filled_once
    shutil.rmtree(workspace, ignore_errors=True)
    return shutil.copytree(aside, workspace)
