"""Several at once in one workspace: sessions and processes that change one file, accounts that share folders."""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dfcore import workspace
from dfcore.batch.resume_log import ResumeLog
from dfcore.datasets import registry
from dfcore.datasets.cache import load_pixels
from dfcore.detectors import bundle as bundle_files
from dfcore.detectors import library
from dfcore.errors import BundleError
from dfcore.exchange import optimize
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.runs import RunStore
from dfcore.utils.files import lock, make_folder, sha256_file, write_text
from tests.conftest import make_card, make_image

ROOT = Path(__file__).parents[2]
LONG = 60  # Seconds after which something that never comes is given up.
posix = pytest.mark.skipif(os.name != "posix", reason="modes of files are Unix's")


@pytest.fixture
def halting(monkeypatch):
    """Lets the first thread that reads a stored text halt with it until `go_on`; others are let through."""

    def halt(module, name: str):
        read, halted, go_on = getattr(module, name), threading.Event(), threading.Event()

        def reading(*given):
            value = read(*given)
            if not halted.is_set():
                halted.set()
                # Whoever is locked out does not come, so this is over after a moment that decides nothing else.
                go_on.wait(0.5)
            return value

        monkeypatch.setattr(module, name, reading)
        return halted, go_on

    return halt


# === Read, changed, written ===


@pytest.mark.parametrize("others", ["register", "forget"])
def test_no_change_to_the_list_of_data_sets_is_lost(others, tmp_path, halting):
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    registry.register(folders[2])
    halted, go_on = halting(registry, "_stored")

    def second():
        assert halted.wait(LONG)
        registry.register(folders[1]) if others == "register" else registry.forget(folders[2])
        go_on.set()

    with ThreadPoolExecutor(2) as threads:
        for done in (threads.submit(registry.register, folders[0]), threads.submit(second)):
            done.result(LONG)
    want = set(folders) if others == "register" else {folders[0]}
    assert set(registry.registered()) == want


def test_many_processes_register_at_once(tmp_path):
    folders = [tmp_path / f"set{number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
    code = "import sys; from dfcore.datasets import registry; [registry.register(path) for path in sys.argv[1:]]"
    started = [subprocess.Popen([sys.executable, "-c", code, *folders[n::3]], cwd=ROOT) for n in range(3)]
    assert [process.wait(LONG) for process in started] == [0, 0, 0]
    assert set(registry.registered()) == set(folders)


def bundle(folder: Path, name: str) -> Path:
    write_text(folder / name / library.CARD, "{}")
    return folder / name


def test_the_default_detector_is_not_lost_while_one_is_renamed(tmp_path, halting):
    for name in ("one", "two"):
        bundle(tmp_path, name)
    library.set_default(tmp_path, "one")
    halted, go_on = halting(library, "default_name")

    def second():
        assert halted.wait(LONG)
        library.set_default(tmp_path, "two")
        go_on.set()

    with ThreadPoolExecutor(2) as threads:
        for done in (threads.submit(library.rename, tmp_path, "one", "new"), threads.submit(second)):
            done.result(LONG)
    assert library.default_name(tmp_path) == "two", "the later choice counts"


def test_of_two_that_promote_to_one_name_one_is_told(tmp_path, monkeypatch):
    source, target = bundle(tmp_path / "runs", "source"), tmp_path / "models"
    monkeypatch.setattr(library, "verify", lambda _: None)
    together, free_place = threading.Barrier(2), library.free_place
    first = threading.local()

    def checked_together(*given):
        place = free_place(*given)
        if not getattr(first, "done", False):
            first.done = True
            together.wait(LONG)
        return place

    monkeypatch.setattr(library, "free_place", checked_together)
    with ThreadPoolExecutor(2) as threads:
        promoted = [threads.submit(library.promote, source, target, "taken") for _ in range(2)]
        outcomes = [one.exception(LONG) for one in promoted]
    assert [type(outcome) for outcome in outcomes if outcome] == [BundleError]
    assert [path.name for path in library.list_bundles(target)] == ["taken"]


def test_of_two_that_optimize_one_detector_the_files_are_of_one(tmp_path, monkeypatch):
    write_text(tmp_path / "detector" / bundle_files.CARD, "{}")
    written, other_done = threading.Event(), threading.Event()
    write = bundle_files.write_bytes

    def halting_after_the_first(path, content):
        write(path, content)
        if not written.is_set():
            written.set()
            other_done.wait(0.5)  # Whoever is locked out does not come.

    monkeypatch.setattr(bundle_files, "write_bytes", halting_after_the_first)

    def store(content: bytes) -> None:
        record = bundle_files.OpenVINORecord(enabled=True)
        optimize._store(tmp_path / "detector", make_card(), record, (content + b" graph", content + b" weights"))

    def second() -> None:
        assert written.wait(LONG)
        store(b"second")
        other_done.set()

    with ThreadPoolExecutor(2) as threads:
        for done in (threads.submit(store, b"first"), threads.submit(second)):
            done.result(LONG)
    card = bundle_files.read_card(tmp_path / "detector")
    assert bundle_files.read_openvino(tmp_path / "detector", card) == (b"second graph", b"second weights")


# === Several accounts ===


@pytest.fixture
def umask():
    """As most systems set it: what is made belongs to its owner alone."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize(
    ("folder", "of_file", "of_folder"),
    [
        (0o755, 0o644, 0o755),
        (0o775, 0o664, 0o775),
        (0o2770, 0o664, 0o775),
        (0o777, 0o666, 0o777),
        (0o1777, 0o644, 0o755),
    ],
)
def test_what_is_made_is_shared_as_its_folder_is(folder, of_file, of_folder, umask, tmp_path):
    tmp_path = tmp_path / "shared"
    tmp_path.mkdir()
    tmp_path.chmod(folder)
    with lock(tmp_path / "lock"):
        pass
    write_text(tmp_path / "text", "text")
    make_folder(tmp_path / "in" / "in")
    assert (mode(tmp_path / "lock"), mode(tmp_path / "text")) == (of_file, of_file)
    assert [mode(path) & 0o777 for path in (tmp_path / "in", tmp_path / "in" / "in")] == [of_folder, of_folder]


@posix
def test_every_lock_file_serves_other_accounts(umask, tmp_path):
    """Whichever part of the workbench makes it."""
    for folder in (workspace.runs_dir(), workspace.models_dir(), workspace.data_dir(), workspace.cache_dir()):
        folder.mkdir()
        folder.chmod(0o777)
    image = make_image(tmp_path / "image.png")
    load_pixels([image], [sha256_file(image)], PreprocessSpec(16), folder=workspace.cache_dir())
    registry.register(tmp_path)
    library.set_default(workspace.models_dir(), bundle(workspace.models_dir(), "one").name)
    run = RunStore(workspace.runs_dir()).create({"arch": "cnn"}, epochs=1)
    run.claim(None, None, epochs=1)
    with ResumeLog(workspace.runs_dir() / "v.csv", {}):
        made = [path for path in tmp_path.rglob("*") if "lock" in path.name or path.parent.name == "users"]
        assert len(made) >= 5
        assert {path.name: oct(mode(path)) for path in made if mode(path) != 0o666} == {}


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root can be several accounts")
def test_two_accounts_take_turns_in_one_workspace(umask):
    base = Path("/tmp") / f"dfcore-accounts-{os.getpid()}"
    base.mkdir()
    base.chmod(0o777)
    try:
        make_image(base / "image.png")
        (base / "in").mkdir()
        code = f"""
import os, sys
from pathlib import Path
import numpy as np
from dfcore.datasets import cache, registry
from dfcore.imaging.preprocess import PreprocessSpec
from dfcore.runs import RunStore
from dfcore.utils.files import lock, make_folder, sha256_file
# The interpreter may be root's alone: all is imported now, and nothing that starts another one is called.
cache._Decoder._decode = lambda self, item: (item[0], np.zeros((self._spec.size, self._spec.size, 3), np.uint8), "")
account = int(sys.argv[1])
os.setgroups([]); os.setgid(account); os.setuid(account); os.umask(0o022)
base = Path({str(base)!r})
store = RunStore(base / "runs")
make_folder(store.folder)
with lock(store.folder / ".training.lock"):
    store.create({{"arch": "cnn"}}, epochs=1)
    for run in store:
        run.claim(None, None, epochs=1)
registry.register(base / "in" if account == 1234 else base)
path = base / "image.png"
for size in (16, 17 + account % 2):
    pixels = cache.load_pixels([path], [sha256_file(path)], PreprocessSpec(size), folder=base / "cache")
    assert len(pixels.store) == 1 and not pixels.errors
"""
        own = {f"DFCORE_{name.upper()}": str(base / name) for name in ("runs", "models", "data", "cache", "logs")}
        for account in ("1234", "4321", "1234"):
            command = [sys.executable, "-c", code, account]
            done = subprocess.run(
                command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=LONG, check=False
            )
            assert done.returncode == 0, done.stderr[-2000:]
        assert len(list((base / "runs").glob("*-cnn"))) == 3
    finally:
        subprocess.run(["rm", "-rf", str(base)], check=True)
