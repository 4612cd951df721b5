"""`dfcore data align`: a data set of pairs, the same by seed, resumed after a kill, and told to be self-made."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore.audit.run import audit
from dfcore.cli import main
from dfcore.datasets import assign_splits, scan
from dfcore.datasets.self_made import NOTICE
from dfcore.datasets.units import units
from dfcore.errors import DatasetError, InputError, LayoutError
from dfcore.imaging import decoder
from dfcore.synthesis import pair
from dfcore.synthesis.align import align
from dfcore.synthesis.plan import Plan
from dfcore.synthesis.sources import real_pictures
from dfcore.utils.processes import environment
from tests.unit.audit_sets import make_set, picture

FAST = Plan(kinds=("simulated", "drawn"))


def photos(folder: Path, count: int = 6, size: tuple[int, int] = (120, 90), seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for number in range(count):
        picture(random, size).save(folder / f"p{number}.jpg", quality=92)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def made(root: Path, out: Path, plan: Plan = FAST, **options):
    return align(real_pictures(root, seed=plan.seed), out, plan, **options)


# === Which pictures ===


def test_all_pictures_of_a_folder_that_tells_no_class_are_taken_as_real_and_it_says_so(tmp_path):
    root = photos(tmp_path / "holidays")
    found = real_pictures(root)
    assert {one.path for one in found.pictures} == {f"p{number}.jpg" for number in range(6)}
    assert found.told == "Nothing in holidays says which pictures are real: all 6 were taken as real."
    assert [one.path for one in found.pictures] != [one.path for one in real_pictures(root, seed=1).pictures]


def test_only_pictures_labelled_real_are_taken_with_their_splits(tmp_path):
    root = make_set(tmp_path / "set", count=3, splits=("train", "test"))
    found = real_pictures(root)
    assert {one.path for one in found.pictures} == {f"{s}/real/{n}.jpg" for s in ("train", "test") for n in range(3)}
    assert {one.split for one in found.pictures} == {"train", "test"}
    assert "6 pictures of set are labelled real; its 6 others are not used" in found.told


def test_a_table_that_is_not_understood_is_never_taken_for_none(tmp_path):
    root = photos(tmp_path / "set")
    (root / "labels.csv").write_text("file,zustand\np0.jpg,7\np1.jpg,9\n")
    with pytest.raises(LayoutError, match=r"labels\.csv"):
        real_pictures(root)


def test_without_real_pictures_it_says_so(tmp_path):
    photos(tmp_path / "set" / "fake")
    with pytest.raises((DatasetError, LayoutError), match=r"[Rr]eal"):
        real_pictures(tmp_path / "set")


# === The data set ===


def test_pairs_are_read_as_pairs_that_never_part_and_say_that_they_are_self_made(tmp_path):
    result = made(photos(tmp_path / "p", 20), tmp_path / "out")
    assert result.pairs == 20 and sum(result.kinds.values()) == 20 and set(result.kinds) == {"simulated", "drawn"}
    data = scan(tmp_path / "out")
    assert (data.usable.label == 0).sum() == (data.usable.label == 1).sum() == 20
    assert set(data.usable.group) == {"simulated", "drawn"}
    assert data.self_made.startswith("All 20 fakes are self-made (drawn ") and data.self_made in data.notes
    assert not data.left_out
    drawn = assign_splits(data).usable
    assert drawn.split.nunique() > 1
    assert (drawn.groupby(drawn.path.str[-9:]).split.nunique() == 1).all()
    assert (units(drawn).groupby(drawn.path.str[-9:]).nunique() == 1).all()
    sizes = drawn.groupby(drawn.path.str[-9:])[["width", "height", "quality"]].nunique()
    assert (sizes == 1).all(axis=None)


def test_the_same_seed_gives_the_same_files_whatever_else_lies_there(tmp_path):
    root = photos(tmp_path / "p")
    made(root, tmp_path / "one")
    made(root, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    photos(tmp_path / "p" / "more", 3, seed=9)
    made(root, tmp_path / "three")
    few, many = (
        pd.read_csv(tmp_path / name / "manifest.csv").set_index(["made_from", "label"]) for name in ("one", "three")
    )
    for key, row in few.iterrows():
        other = tmp_path / "three" / many.loc[key].path
        assert other.read_bytes() == (tmp_path / "one" / row.path).read_bytes()
    made(root, tmp_path / "four", Plan(FAST.kinds, seed=1))
    assert not set(contents(tmp_path / "four").values()) & set(contents(tmp_path / "three").values()) - {b""} - {
        (tmp_path / "three" / NOTICE).read_bytes()
    }


def test_a_row_of_the_manifest_makes_its_pair_again(tmp_path):
    root = photos(tmp_path / "p", 3)
    made(root, tmp_path / "out")
    for row in pd.read_csv(tmp_path / "out" / "manifest.csv").itertuples():
        again = pair(decoder.decode(root / row.made_from), row.group, row.seed)[row.label == "fake"]
        np.testing.assert_array_equal(again, decoder.decode(tmp_path / "out" / row.path))


def test_several_pairs_of_a_picture_have_different_decoders_and_one_source(tmp_path):
    made(photos(tmp_path / "p", 3), tmp_path / "out", Plan(FAST.kinds, pairs=2, limit=2))
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert len(table) == 2 * 2 * 2 and table.made_from.nunique() == 2
    assert (table.groupby("source_id").group.nunique() == 2).all()


def test_partly_generated_pictures_have_masks_of_their_size(tmp_path):
    made(photos(tmp_path / "p", 2), tmp_path / "out", Plan(("partly",)))
    rows = pd.read_csv(tmp_path / "out" / "manifest.csv").query("label == 'fake'")
    assert len(rows) == 2
    for row in rows.itertuples():
        mask = np.asarray(Image.open(tmp_path / "out" / "masks" / f"{Path(row.path).stem}.png"))
        assert mask.shape == decoder.decode(tmp_path / "out" / row.path).shape[:2]
        assert mask.mean() / 255 == pytest.approx(row.generated_share, abs=1e-3)
    left = scan(tmp_path / "out").left_out
    assert [(one.path, one.files, one.missed) for one in left] == [("masks", 2, False)]


def test_files_that_cannot_be_used_are_listed_and_the_others_made(tmp_path, capsys):
    root = photos(tmp_path / "p", 2)
    (root / "broken.jpg").write_bytes(b"no picture")
    Image.new("RGB", (10, 10)).save(root / "tiny.png")
    assert main(["data", "align", str(root), str(tmp_path / "out"), "--kinds", "simulated"]) == 3
    told = capsys.readouterr().out
    assert "2 pairs with SELF-MADE fakes (simulated 2)" in told
    assert "broken.jpg: Not an image" in told and "tiny.png: It is smaller than 16 pixels." in told


@pytest.mark.parametrize(
    ("values", "text"),
    [({"kinds": ()}, "each once"), ({"kinds": ("gan",)}, "taef2, simulated"), ({"pairs": 0}, "pairs of each"),
     ({"limit": 0}, "number of pictures")],
)  # fmt: skip
def test_a_plan_refuses_what_is_out_of_range(values, text):
    with pytest.raises(InputError, match=text):
        Plan(**values)


def test_out_must_be_empty_and_elsewhere(tmp_path):
    root = photos(tmp_path / "p", 1)
    with pytest.raises(InputError, match="new or empty folder"):
        made(root, tmp_path)
    with pytest.raises(InputError, match="outside of the real pictures"):
        made(root, root / "out")


# === Stopping ===


def test_stopped_it_goes_on_where_it_was(tmp_path, monkeypatch):
    root, plan = photos(tmp_path / "p", 12), Plan(("simulated",))
    done: list[int] = []
    assert (
        made(root, tmp_path / "out", plan, progress=lambda k, _: done.append(k), should_stop=lambda: len(done) > 2)
        is None
    )
    assert not (tmp_path / "out").exists()
    aside = tmp_path / ".out.aligning"
    kept = {file: file.stat().st_mtime_ns for file in (aside / "real").iterdir()}
    assert 2 < len(kept) < 12
    assert made(root, tmp_path / "out", plan).pairs == 12
    for file, stamp in kept.items():
        assert (tmp_path / "out" / "real" / file.name).stat().st_mtime_ns == stamp
    assert not aside.exists() and not list((tmp_path / "out").glob(".*"))
    made(root, tmp_path / "whole", plan)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_another_seed_does_not_go_on_with_what_was_made(tmp_path):
    root = photos(tmp_path / "p", 4)
    made(root, tmp_path / "out", Plan(FAST.kinds, seed=1), should_stop=iter([False, False, *[True] * 9]).__next__)
    made(root, tmp_path / "out", FAST)
    made(root, tmp_path / "other", FAST)
    assert contents(tmp_path / "out") == contents(tmp_path / "other")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_killed_or_interrupted_it_goes_on_where_it_was(tmp_path, how):
    root = photos(tmp_path / "p", 60, (400, 300))
    rest = ["data", "align", str(root), str(tmp_path / "out"), "--kinds", "drawn"]
    command = [sys.executable, "-m", "dfcore", *rest]
    # However fast the machine is, it is stopped midway.
    slowly = (
        "import sys, time\nfrom dfcore.cli import main\nfrom dfcore.synthesis import align\nmake = align._make\n"
        "align._make = lambda *arguments: (time.sleep(0.3), make(*arguments))[1]\nsys.exit(main(sys.argv[1:]))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", slowly, *rest], env=environment(), stderr=subprocess.PIPE, text=True
    )
    real = tmp_path / ".out.aligning" / "real"
    while child.poll() is None and not (real.is_dir() and len(list(real.iterdir())) > 5):
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL if how == "kill" else signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == (-signal.SIGKILL if how == "kill" else 130), told
    assert how == "kill" or "the same command goes on with it.\ndfcore: stopped." in told
    assert not (tmp_path / "out").exists()
    before = len(list(real.glob("*.jpg")))
    assert before < 60
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)
    assert len(list((tmp_path / "out" / "real").iterdir())) == len(list((tmp_path / "out" / "fake").iterdir())) == 60
    assert not [file for file in (tmp_path / "out" / "real").iterdir() if file.name.startswith(".")]


# === Said everywhere ===


def test_scan_tells_it_in_words_and_as_json(tmp_path, capsys):
    made(photos(tmp_path / "p", 4), tmp_path / "out")
    assert main(["data", "scan", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.count("All 4 fakes are self-made") == 1
    main(["data", "scan", str(tmp_path / "out"), "--json"])
    assert json.loads(capsys.readouterr().out)["self_made"].startswith("All 4 fakes are self-made")


def test_beside_other_fakes_the_share_is_told_and_without_them_nothing(tmp_path):
    root = make_set(tmp_path / "set", count=3)
    assert scan(root).self_made == ""
    made(photos(tmp_path / "p", 2), root / "aligned")
    (root / "aligned" / "manifest.csv").unlink()
    (root / "aligned").rename(root / "more")
    data = scan(root)
    assert data.self_made.startswith("2 of the 5 fakes are self-made")


def test_the_audit_takes_a_fake_and_its_original_for_no_wrong_label(tmp_path):
    made(photos(tmp_path / "p", 6, (300, 260)), tmp_path / "out", Plan(("drawn",)))
    found = audit(scan(tmp_path / "out"), networks=False).kind("near-duplicates across classes")
    assert [one.severity for one in found] == ["ok"] and "as is meant" in found[0].title
    (tmp_path / "out" / NOTICE).unlink()
    found = audit(scan(tmp_path / "out"), networks=False).kind("near-duplicates across classes")
    assert [one.severity for one in found] == ["medium"]
