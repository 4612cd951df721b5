"""The walker of `make monkey` knows a fault in a log, and a control by its label on another day."""

import pytest

from tests.e2e.monkey_elements import same
from tests.e2e.monkey_faults import Fault, Watch

_TRACE = """2026-11-26 ERROR Reference 0A1B2C3D
Traceback (most recent call last):
  File "x.py", line 1, in f
    g()
"""


@pytest.fixture
def watch(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "server.log").write_text(_TRACE + "ValueError: before the walk\n")
    return Watch("http://127.0.0.1:1", tmp_path)


@pytest.mark.parametrize("file", ["server.log", "logs/dashboard.log"])
def test_the_first_new_traceback_is_found_once(watch, tmp_path, file):
    assert watch._in_logs() is None
    with open(tmp_path / file, "a") as log:
        log.write(f"\x1b[31m{_TRACE}\x1b[0mwebsockets.WebSocketClosedError\n\nall is well\n")
        log.write(_TRACE + "dfcore.errors.RunError: gone: cnn\n2026-11-26 INFO next\n")
    found = watch._in_logs()
    assert found is not None
    assert found.what == "dfcore.errors.RunError: gone: cnn"
    assert 'File "x.py"' in found.details
    assert watch._in_logs() is None


def test_a_fault_is_the_same_on_another_port_and_under_another_reference():
    one = Fault("error", "reference 0A1B2C3D at http://127.0.0.1:8501/models")
    assert one.like(Fault("error", "reference FFFFFFFF at http://127.0.0.1:41234/models"))
    assert not one.like(Fault("log", one.what))
    assert not one.like(Fault("error", "another"))
    assert not one.like(None)


def test_a_label_is_the_same_in_another_workspace_on_another_day(tmp_path):
    shown = "keyboard_arrow_right Run 20261126-174251-387-cnn of {} at 2026-11-26 17:42"
    later = "keyboard_arrow_down Run 20270101-000000-001-cnn  of {} at 2027-01-01T00:00:00"
    assert same(shown.format(tmp_path), tmp_path) == same(later.format("~"), tmp_path) == "Run RUN-cnn of ~ at TIME"
