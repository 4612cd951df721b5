"""The one TensorBoard of this server: opened once for everybody, and gone with the server."""

import threading

from dfcore import workspace
from dfcore.trackers.board import BoardServer

_lock = threading.Lock()
_boards: list[BoardServer] = []


def address() -> str | None:
    """Where TensorBoard serves this workspace's runs; None if it is not open."""
    folder = workspace.runs_dir()
    return next((board.address for board in list(_boards) if board.running and board.folder == folder), None)


def opened() -> str:
    """Opens it, unless it is open; returns its address. For `tracker_actions` alone.

    Raises:
        DfcoreError: If it does not start.
    """
    with _lock:
        known = address()
        if known is not None:
            return known
        _close_all()
        _boards.append(BoardServer(workspace.runs_dir()))
        return _boards[0].address


def close() -> None:
    """Closes it; does nothing if it is not open. For `tracker_actions` alone."""
    with _lock:
        _close_all()


def _close_all() -> None:
    while _boards:
        _boards.pop().stop()
