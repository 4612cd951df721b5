"""TensorBoard as a server on this machine: in this process, or in one of its own that ends with its parent.

`python -m dfcore.trackers.board RUNS_FOLDER` serves until its standard input ends. TensorBoard runs without TensorFlow,
so that it is there at once and small.
"""

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

from dfcore.errors import DfcoreError
from dfcore.trackers.tensorboard import write_missing
from dfcore.utils.processes import environment
from dfcore.utils.texts import printable

_HOST = "127.0.0.1"
_PATIENCE_SECONDS = 90


def launch(folder: Path, port: int = 0) -> str:
    """Opens TensorBoard on a folder of runs in threads of this process, on 127.0.0.1 only; returns its address.

    Args:
        folder: The folder; runs without event files get them.
        port: Port to listen on; 0 takes a free one.

    Raises:
        DfcoreError: If it cannot start, because the port is taken for example.
    """
    write_missing(folder)
    # By this name TensorBoard is told not to import TensorFlow.
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    from tensorboard import default, program

    board = program.TensorBoard(default.get_plugins())
    board.configure(
        argv=["tensorboard", "--logdir", str(folder), "--host", _HOST, "--port", str(port), "--reload_interval", "5",
              "--window_title", "Deepfake workbench"]
    )  # fmt: skip
    try:
        # It prints a note on how it reads files.
        with contextlib.redirect_stderr(io.StringIO()):
            return str(board.launch()).rstrip("/")
    except (OSError, program.TensorBoardServerException) as error:
        text = printable(error)[:300].rstrip(".")
        raise DfcoreError(f"TensorBoard could not start on port {port}: {text}.") from error


class BoardServer:
    """TensorBoard in a process of its own, which ends with this one at the latest.

    Args:
        folder: Folder of runs.

    Raises:
        DfcoreError: If it does not start.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dfcore.trackers.board", str(folder)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(),
            )  # fmt: skip
        except OSError as error:
            raise DfcoreError(f"TensorBoard's process could not be started: {error}.") from error
        answer = self._answer()
        if "address" not in answer:
            self.stop()
            raise DfcoreError(answer.get("error") or "TensorBoard ended before it had begun.")
        self.address: str = answer["address"]

    @property
    def running(self) -> bool:
        """Whether it still serves."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends it."""
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        """The first line that the process prints; {} if none comes."""
        late = threading.Timer(_PATIENCE_SECONDS, self._process.kill)
        late.start()
        try:
            assert self._process.stdout is not None
            found = json.loads(self._process.stdout.readline())
        except ValueError:
            return {}
        finally:
            late.cancel()
        return found if isinstance(found, dict) else {}


def main(folder: str) -> int:
    """Serves a folder until standard input ends; prints the address, or the error, as JSON."""
    try:
        print(json.dumps({"address": launch(Path(folder))}), flush=True)
    except DfcoreError as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    sys.stdin.buffer.read()
    # Its threads do not end.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
