"""One browser for all end-to-end tests of a module."""

import pytest

from tests.e2e.server import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as result:
        yield result
