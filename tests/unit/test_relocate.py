"""Data that moved: a run is told where its images are, once they are known to be the same by content."""

import json
import shutil
from pathlib import Path

import pytest

from dfcore import workspace
from dfcore.cli import main
from dfcore.datasets import registry
from dfcore.datasets.reading import Reading, recall, remember
from dfcore.errors import DatasetError, LayoutError, RunError
from dfcore.runs import Run, RunStore, State, require_data
from dfcore.training.config import make_config
from dfcore.training.data import prepare, require_same
from dfcore.training.record import NAME, write_record
from dfcore.training.relocate import relocate, relocate_all
from tests.conftest import make_image

SMALL = Path(__file__).parents[2] / "models" / "small"


def data_set(root: Path, seed: int = 0) -> Path:
    for label in ("real", "fake"):
        for number in range(8):
            make_image(root / label / f"{number}.png", seed=seed + number + 100 * (label == "fake"))
    return root


def run_on(root: Path, state: State = State.STOPPED, *, record: bool = True) -> Run:
    """A run on a data set, as training leaves it after an epoch."""
    config = make_config({"data_root": str(root), "arch": "cnn", "image_size": 32})
    run = RunStore(workspace.runs_dir()).create(config.to_dict(), epochs=1)
    data = prepare(config)
    require_same(data.dataset.root, data.rows, run.folder / "data.json", begun=False)
    if record:
        write_record(data.rows, run.folder, begun=False)
    run.checkpoints.mkdir()
    (run.checkpoints / "epoch-1.npz").touch()
    run.update(state=state)
    return run


@pytest.fixture
def root(tmp_path) -> Path:
    return data_set(tmp_path / "old" / "set")


STATES = [State.STOPPED, State.COMPLETED]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("record", [True, False], ids=["", "of version 0.5"])
@pytest.mark.parametrize("new", ["new", "deeper/in/new", "old/other"])
def test_a_run_finds_its_images_where_they_are_now(state, record, new, root, tmp_path):
    run = run_on(root, state, record=record)
    before = run.config()
    (tmp_path / new).parent.mkdir(parents=True, exist_ok=True)
    now = root.rename(tmp_path / new)
    done = relocate(run, now)
    assert (done.images, done.added, done.problem) == (16, 0, "")
    assert run.config() == before | {"data_root": str(now)}
    data = prepare(make_config(run.config()))
    require_same(data.dataset.root, data.rows, run.folder / "data.json", begun=True)


def lost(root: Path) -> None:
    (root / "real" / "3.png").unlink()


def replaced(root: Path) -> None:
    make_image(root / "real" / "3.png", seed=77)


def turned(root: Path) -> None:
    (root / "real" / "3.png").rename(root / "fake" / "30.png")


def another(root: Path) -> None:
    shutil.rmtree(root)
    data_set(root, seed=1000)


def all_turned(root: Path) -> None:
    (root / "real").rename(root / "aside")
    (root / "fake").rename(root / "real")
    (root / "aside").rename(root / "fake")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lost, r"1 are missing or have other content: real/3\.png\."),
        (replaced, r"1 are missing or have other content: real/3\.png\."),
        (turned, r"1 of them have the other label, real/3\.png"),
        (another, r"16 are missing or have other content: fake/0\.png, .* …"),
        (all_turned, "16 of them have the other label"),
    ],
)
def test_what_is_not_the_data_of_the_run_is_refused_and_nothing_is_changed(change, told, state, root, tmp_path):
    run = run_on(root, state)
    stored = (run.folder / "config.json").read_bytes(), (run.folder / "data.json").read_bytes()
    now = root.rename(tmp_path / "new")
    change(now)
    with pytest.raises(DatasetError, match=told):
        relocate(run, now)
    assert stored == ((run.folder / "config.json").read_bytes(), (run.folder / "data.json").read_bytes())


@pytest.mark.parametrize("state", STATES)
def test_more_images_than_the_run_began_with_matter_only_if_it_goes_on(state, root, tmp_path):
    run = run_on(root, state)
    now = root.rename(tmp_path / "new")
    make_image(now / "real" / "new.png", seed=77)
    if state is State.STOPPED:
        with pytest.raises(DatasetError, match="has changed since this run began"):
            relocate(run, now)
    else:
        assert relocate(run, now).added == 1


def test_files_that_were_renamed_are_the_same_images(root, tmp_path):
    """A finished run asks for content alone."""
    run = run_on(root, State.COMPLETED)
    now = root.rename(tmp_path / "new")
    for number, path in enumerate((now / "real").iterdir()):
        path.rename(path.with_name(f"camera-{number}.png"))
    assert relocate(run, now).images == 16


def test_a_run_of_version_0_5_is_compared_as_a_whole(root, tmp_path):
    run = run_on(root, record=False)
    now = root.rename(tmp_path / "new")
    lost(now)
    with pytest.raises(DatasetError, match="then 16 images took part, now 15"):
        relocate(run, now)


def test_an_active_run_a_place_that_is_none_and_a_damaged_record_are_refused(root, tmp_path):
    run = run_on(root)
    with pytest.raises(LayoutError, match=r"There is no folder or manifest .*gone"):
        relocate(run, tmp_path / "gone")
    (run.folder / NAME).write_bytes(b"no table")
    with pytest.raises(DatasetError, match=r"images\.parquet.* cannot be read"):
        relocate(run, root)
    run.claim(None, None, epochs=1)
    with pytest.raises(RunError, match="is queued; stop it"):
        relocate(run, root)


def test_all_runs_and_registered_sets_below_a_folder(root, tmp_path, capsys):
    other = data_set(tmp_path / "elsewhere" / "set", seed=500)
    runs = [run_on(root), run_on(data_set(tmp_path / "old" / "deep" / "set", seed=300)), run_on(other)]
    for path in (root, other, tmp_path / "old" / "deep"):
        registry.register(path)
    new = (tmp_path / "old").rename(tmp_path / "new")
    assert set(registry.missing()) == {root, tmp_path / "old" / "deep"}
    lost(new / "deep" / "set")
    assert main(["runs", "relocate", "--all", str(tmp_path / "old"), str(new), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    problems = {one["run"]: one["problem"] for one in told["runs"]}
    assert set(problems) == {runs[0].id, runs[1].id}
    assert problems[runs[0].id] == ""
    assert "real/3.png" in problems[runs[1].id]
    assert [run.config()["data_root"] for run in runs] == [
        str(new / "set"), str(tmp_path / "old" / "deep" / "set"), str(other)
    ]  # fmt: skip
    assert registry.missing() == []
    assert registry.registered() == [new / "set", other, new / "deep"]
    assert relocate_all(runs, tmp_path / "old", new)[0].problem


def test_what_was_said_of_the_data_holds_at_their_new_place(root, tmp_path):
    run = run_on(root, State.COMPLETED)
    remember(root, said := Reading(groups=r"(\d+)\.png"))
    now = root.rename(tmp_path / "new")
    make_image(now / "real" / "0.png", seed=99)
    with pytest.raises(DatasetError):
        relocate(run, now)
    assert recall(now) == Reading()
    make_image(now / "real" / "0.png", seed=0)
    relocate(run, now)
    assert recall(now) == said


def test_what_needs_the_data_asks_for_their_new_place(root, tmp_path, capsys):
    run = run_on(root)
    root.rename(tmp_path / "new")
    with pytest.raises(RunError, match=f"not there any more: .*dfcore runs relocate {run.id} NEW_ROOT"):
        require_data(run)
    assert run.status().state is State.STOPPED
    assert main(["runs", "resume", run.id]) == 2
    assert f"dfcore runs relocate {run.id} NEW_ROOT" in capsys.readouterr().err
    assert main(["evaluate", str(SMALL), "--data-root", str(root)]) == 2
    assert f"dfcore runs relocate --all {root} NEW_ROOT" in capsys.readouterr().err
    assert main(["runs", "relocate", run.id, str(tmp_path / "new")]) == 0
    assert f"its 16 images are in {tmp_path / 'new'}" in capsys.readouterr().out
