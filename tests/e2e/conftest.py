"""One browser for all end-to-end tests of a module, its pages, and a workspace full of everything."""

import shutil
from pathlib import Path

import pytest
from xdist.scheduler import LoadFileScheduling

from tests.e2e.server import chromium
from tests.e2e.workspace import fill

# Modules that use `filled`. They go to one worker, so that only one fills a workspace.
_FILLED = {"test_accessibility.py", "test_monkey.py"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadfile`; loadgroup of pytest-xdist 3.8 tells pytest 9.2 of its groups in vain."""
    return _ByWorkspace(config, log) if config.getvalue("dist") == "loadfile" else None


class _ByWorkspace(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return "filled" if Path(file).name in _FILLED else file


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
def filled(request, _filled_once):
    """A filled workspace that a module may destroy."""
    assert request.path.name in _FILLED
    workspace, aside = _filled_once
    shutil.rmtree(workspace, ignore_errors=True)
    return shutil.copytree(aside, workspace)
