"""Neutralised copies: both classes alike, originals untouched, stopped copies go on."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from dfcore.audit.neutralise import MANIFEST, neutralise, plan_for
from dfcore.audit.run import shortcut_auc
from dfcore.cli import main
from dfcore.datasets import scan
from dfcore.errors import DatasetError, InputError
from tests.unit.audit_sets import jpeg, make_set, png


def _state(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def shortcut_set(tmp_path):
    return make_set(
        tmp_path / "set", count=25, splits=("train", "test"), fake=png, fake_size=(120, 90),
        real=lambda image: jpeg(image.resize((160, 200)), quality=75, comment=b"camera"),
    )  # fmt: skip


@pytest.mark.slow
def test_makes_both_classes_alike(shortcut_set, tmp_path):
    before = _state(shortcut_set)
    data = scan(shortcut_set)
    plan = plan_for(data)
    assert plan.how == "resize" and plan.side == 80  # Nine tenths of 90, in steps of 8.
    copy = neutralise(data, tmp_path / "out", plan)
    assert _state(shortcut_set) == before
    assert copy is not None and copy.images == 100 and not copy.left_out
    found = scan(copy.folder)
    assert found.counts().to_numpy().tolist() == [[25, 25], [25, 25]]
    assert set(found.table.format) == {"JPEG"} and set(found.table.width) == set(found.table.height) == {80}
    assert set(found.table.quality) == {90}
    for path in copy.folder.rglob("*.jpg"):
        with Image.open(path) as image:
            assert not image.getexif() and "comment" not in image.info and "icc_profile" not in image.info
    assert not list(tmp_path.glob(".out*"))
    was, now = shortcut_auc(data), shortcut_auc(found)
    assert was is not None and was.value > 0.95
    assert now is not None and now.value <= 0.65 and now.low <= 0.5 <= now.high


def test_equal_sizes_are_cut_at_native_size_and_keep_their_pixels(tmp_path):
    data = scan(make_set(tmp_path / "set", real=png, fake=png, fake_size=(64, 64)))
    plan = plan_for(data, side=48)
    assert plan.how == "native"
    from dfcore.audit.neutralise import square

    rgb = np.random.default_rng(0).integers(0, 256, (64, 70, 3)).astype(np.uint8)
    part = square(rgb, plan, "name")
    windows = np.lib.stride_tricks.sliding_window_view(rgb, (48, 48, 3))[:, :, 0]
    assert (windows == part).all(axis=(2, 3, 4)).sum() == 1
    assert np.array_equal(part, square(rgb, plan, "name"))


def test_a_stopped_copy_goes_on(shortcut_set, tmp_path):
    data = scan(shortcut_set)
    plan = plan_for(data)
    asked = iter(range(10**6))
    assert neutralise(data, tmp_path / "out", plan, should_stop=lambda: next(asked) > 30) is None
    assert not (tmp_path / "out").exists()
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / ".out.neutralising").rglob("*.jpg")}
    assert 0 < len(made) < 100
    copy = neutralise(data, tmp_path / "out", plan)
    assert copy is not None and copy.images == 100
    for path, time in made.items():
        assert (tmp_path / "out" / path.relative_to(tmp_path / ".out.neutralising")).stat().st_mtime_ns == time


def test_leftovers_of_another_plan_are_discarded(shortcut_set, tmp_path):
    data = scan(shortcut_set)
    asked = iter(range(10**6))
    neutralise(data, tmp_path / "out", plan_for(data), should_stop=lambda: next(asked) > 30)
    copy = neutralise(data, tmp_path / "out", plan_for(data, side=40))
    assert copy is not None and set(scan(copy.folder).table.width) == {40}


@pytest.mark.slow
def test_tells_what_is_left_out(shortcut_set, tmp_path, capsys):
    tiny = shortcut_set / "train" / "real" / "tiny.jpg"
    tiny.write_bytes(jpeg(Image.new("RGB", (20, 20))))
    (shortcut_set / "test" / "fake" / "broken.png").write_bytes(b"nothing")
    assert main(["data", "neutralise", str(shortcut_set), str(tmp_path / "out"), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["images"] == 100 and told["shortcut_auc"]["after"]["value"] <= 0.65
    reasons = {entry["path"]: entry["reason"] for entry in told["left_out"]}
    assert reasons["train/real/tiny.jpg"] == "It is smaller than 80 pixels." and "test/fake/broken.png" in reasons


def test_the_manifest_keeps_groups_and_sources(tmp_path):
    data = scan(make_set(tmp_path / "set", splits=("train/sdxl", "train/dalle"), count=3))
    table = data.table.assign(source_id=[f"video {number % 4}" for number in range(len(data.table))])
    copy = neutralise(data.with_table(table), tmp_path / "out", plan_for(data, how="native", side=40))
    assert copy is not None
    found = scan(copy.folder)
    assert (copy.folder / MANIFEST).is_file() and set(found.table.group) == {"sdxl", "dalle"}
    assert set(found.table.split) == {"train"}


@pytest.mark.parametrize("inside", [True, False])
def test_refuses_a_folder_that_is_in_use(tmp_path, inside):
    data = scan(make_set(tmp_path / "set", count=3))
    out = data.root / "copy" if inside else tmp_path / "full"
    if not inside:
        shutil.copytree(data.root, out)
    with pytest.raises(InputError, match="Expected a"):
        neutralise(data, out, plan_for(data))


def test_refuses_one_class_and_sides_out_of_range(tmp_path):
    root = make_set(tmp_path / "set", count=3)
    with pytest.raises(InputError, match=r"16 to 1024 pixels\. Received: 4000"):
        plan_for(scan(root), side=4000)
    shutil.rmtree(root / "fake")
    with pytest.raises(DatasetError, match="Expected both classes"):
        plan_for(scan(root))
