"""One watcher for each folder: a second one would write the same verdicts twice."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import Timeout

from dfcore import workspace
from dfcore.errors import InputError
from dfcore.utils.files import lock, make_folder, sha256_bytes

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]  # mypy allows only a module here


@contextmanager
def alone(folders: Sequence[Path]) -> Iterator[None]:
    """Holds folders for this process; the system lets go of them when it ends, however it does.

    Raises:
        InputError: If another watcher holds one of them.
    """
    with ExitStack() as held:
        for folder in folders:
            _hold(folder, held)
        yield


def _hold(folder: Path, held: ExitStack) -> None:
    refused = InputError(f"{folder} is being watched by another process; stop that first.")
    if fcntl is not None:
        descriptor = os.open(folder, os.O_RDONLY)
        held.callback(os.close, descriptor)
        try:
            # The folder itself, so that nothing is written into it and watchers of other workspaces see it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            raise refused from None
        except OSError:  # Some network file systems lock no folders: then those of this workspace see each other.
            pass
    place = workspace.batches_dir() / ".watched"
    make_folder(place)
    own = lock(place / f"{sha256_bytes(str(folder).encode())[:32]}.lock", timeout=0)
    try:
        held.enter_context(own)
    except Timeout:
        raise refused from None
