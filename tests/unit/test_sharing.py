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


def test_a_shipped_detector_can_be_the_default_of_a_workspace_without_models(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "shipped_models_dir", lambda: bundle(tmp_path / "shipped", "one").parent)
    monkeypatch.delenv("DFCORE_MODELS")
    monkeypatch.chdir(tmp_path)
    library.set_default(workspace.models_dir(), "one")
    assert library.default_name(workspace.models_dir()) == "one"


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
def umask(request):
    """By default as most systems set it: what is made belongs to its owner alone."""
    before = os.umask(value := getattr(request, "param", 0o022))
    yield value
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@posix
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077], indirect=True)
@pytest.mark.parametrize(
    ("folder", "shared"), [(0o755, 0), (0o775, 0o070), (0o2770, 0o070), (0o777, 0o077), (0o1777, 0), (0o3775, 0)]
)
def test_what_is_made_is_shared_as_its_folder_is(folder, shared, umask, tmp_path):
    tmp_path = tmp_path / "shared"
    tmp_path.mkdir()
    tmp_path.chmod(folder)
    with lock(tmp_path / "lock"):
        pass
    write_text(tmp_path / "text", "text")
    make_folder(tmp_path / "in" / "in")
    assert mode(tmp_path / "text") == 0o644 | shared & 0o666
    # A lock is for all who may write, also where they may not remove each other's files.
    assert mode(tmp_path / "lock") == 0o644 | folder & 0o022
    wanted = 0o777 & ~umask | shared
    assert [mode(path) & 0o777 for path in (tmp_path / "in", tmp_path / "in" / "in")] == [wanted, wanted]


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


def commands(account: int, groups: tuple[int, ...], umask: int, base: Path, *lines: str) -> list[tuple[int, str]]:
    """Runs commands one after the other as an account; returns exit code and output of each."""
    code = """
import contextlib, io, os, sys
import dfcore.training.session, dfcore.training.request, dfcore.runs, dfcore.datasets.cache, dfcore.batch.resume_log
from dfcore.cli import main
uid, groups, umask = int(sys.argv[1]), [int(g) for g in sys.argv[2].split(",")], int(sys.argv[3])
os.setgroups(groups); os.setgid(uid); os.setuid(uid); os.umask(umask)
for line in sys.argv[4:]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            code = main(line.split())
        except SystemExit as ended:
            code = ended.code
        except Exception as error:
            code, _ = "raised", print(repr(error))
    print("\\x1e", code, out.getvalue())
"""
    own = {f"DFCORE_{name.upper()}": str(base / name) for name in ("runs", "data", "cache", "logs")}
    own |= {"HOME": str(base), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    given = [str(account), ",".join(map(str, groups)) or str(account), str(umask), *lines]
    done = subprocess.run(
        [sys.executable, "-c", code, *given],
        cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    parts = [part.strip().partition(" ") for part in done.stdout.split("\x1e")[1:]]
    return [(int(code) if code.isdigit() else -1, text) for code, _, text in parts]


@pytest.fixture
def shared_place(request):
    """A folder that belongs to root and a group, with its mode; images for two classes are in it."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can be several accounts")
    can_start = [sys.executable, "-c", "import dfcore"]
    try:
        subprocess.run(can_start, cwd=ROOT, user=ANN, group=ANN, extra_groups=[], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("the interpreter is root's alone")
    base = Path("/tmp") / f"dfcore-shared-{os.getpid()}"
    before = os.umask(0o022)
    try:
        for label in ("real", "fake"):
            for number in range(10):
                make_image(base / "set" / label / f"{number}.png", seed=hash((label, number)) % 2**31)
        for name in ("runs", "data", "cache", "logs"):
            (base / name).mkdir()
            os.chown(base / name, 0, LAB)
            (base / name).chmod(request.param)
        yield base
    finally:
        os.umask(before)
        subprocess.run(["rm", "-rf", str(base)], check=True)


LAB, ANN, BOB = 7777, 1234, 4321
TRAIN = "train --data-root {}/set --arch cnn --image-size 32 --epochs 1 --batch-size 8"


@posix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shared_place", "umask"),
    [(0o2775, 0o077), (0o775, 0o022), (0o1777, 0o077), (0o777, 0o002)],
    indirect=["shared_place"],
)
def test_two_accounts_train_one_after_the_other_in_one_folder(shared_place, umask):
    train = TRAIN.format(shared_place)
    ((code, text),) = commands(ANN, (LAB,), umask, shared_place, train)
    assert code == 0, text
    theirs = next(iter(RunStore(shared_place / "runs"))).id
    first, listed, shown, deleted = commands(
        BOB, (LAB,), umask, shared_place, train, "runs list", f"runs show {theirs}", f"runs delete {theirs}"
    )
    assert first[0] == 0, first[1]
    assert theirs in listed[1]
    damaged = [line for line in listed[1].splitlines() if "damaged" in line]
    private = umask == 0o077 and bool((shared_place / "runs").stat().st_mode & stat.S_ISVTX)
    assert all(theirs in line for line in damaged) and (private or not damaged), listed[1]
    assert private or shown[0] == 0
    if (shared_place / "runs").stat().st_mode & stat.S_ISVTX:
        assert deleted[0] == 1
        assert "cannot be deleted: " in deleted[1]
        assert "belongs to 1234:" in deleted[1]
        assert (shared_place / "runs" / theirs / "config.json").exists()
    else:
        assert deleted[0] == 0, deleted[1]
        assert not (shared_place / "runs" / theirs).exists()
    assert not list((shared_place / "runs").glob(".deleted*"))


@posix
@pytest.mark.slow
@pytest.mark.parametrize("shared_place", [0o755, 0o2750], indirect=True)
def test_who_may_not_write_is_told_whose_the_folder_is_and_what_helps(shared_place):
    ((code, text),) = commands(BOB, (LAB,), 0o022, shared_place, TRAIN.format(shared_place))
    assert code == 1
    assert "Permission denied" in text
    assert f"{shared_place} " not in text, "the folder itself is named, not the one that it is in"
    for part in ("belongs to root:7777 with mode drwxr", "this account is 4321", "chgrp -R GROUP", "chmod -R g+rwXs"):
        assert part in text, text
    assert "Traceback" not in text


@posix
@pytest.mark.parametrize("shared_place", [0o2775], indirect=True)
def test_a_run_of_another_account_that_died_is_interrupted_for_all(shared_place):
    """Also where it may not be written: nobody waits for it."""
    store = RunStore(shared_place / "runs")
    run = store.create({"arch": "cnn", "data_root": str(shared_place / "set")}, epochs=1)
    run.claim(2**22 + 1, 1.0, epochs=1)
    for path in (run.folder, *run.folder.iterdir()):
        path.chmod(0o755)
    listed, stop, show = commands(BOB, (LAB,), 0o022, shared_place, "runs list", f"runs stop {run.id}",
                                  f"runs delete {run.id}")  # fmt: skip
    assert "interrupted" in listed[1]
    assert stop[0] == 2
    assert "only a queued or running one can be stopped" in stop[1]
    assert show[0] == 1
    assert "belongs to root:" in show[1]
    run.folder.chmod(0o700)
    (listed,) = commands(BOB, (LAB,), 0o022, shared_place, "runs list")
    assert f"{run.id}  damaged" in listed[1]
    assert "Permission denied" in listed[1]
