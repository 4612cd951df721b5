"""What a folder or a manifest is read as: every known layout, every fault a row or a note, never a crash."""

import json
import os
import shutil
import zlib

import pandas as pd
import pytest

from dfcore.datasets import KNOWN_LAYOUTS, UNLABELLED, Reading, scan
from dfcore.datasets.layouts import parse_label, parse_split
from dfcore.datasets.listing import list_images
from dfcore.datasets.scan import image_side
from dfcore.errors import ConventionUnknown, ImageError, InputError, LayoutError
from dfcore.imaging import decoder, sandbox
from tests.conftest import make_image

REAL, FAKE = 0, 1


def make_images(root, *names: str) -> None:
    """Writes a different image under every name."""
    for name in names:
        make_image(root / name, (8, 8), seed=zlib.crc32(name.encode()))


def placed(root) -> dict[str, tuple]:
    """{path: (label, split, group)} of the usable rows, None where nothing tells."""
    usable = scan(root).usable
    rows = usable[["path", "label", "split", "group"]].astype(object)
    return {row.path: (row.label, *(v if isinstance(v, str) else None for v in (row.split, row.group))) for row in
            rows.itertuples()}  # fmt: skip


def errors(root) -> dict[str, str]:
    return dict(scan(root).unreadable[["path", "error"]].itertuples(index=False))


# === Folders ===


@pytest.mark.skipif(os.name != "posix", reason="links are Unix's")
@pytest.mark.parametrize("level", ["", "train/"], ids=["unsplit", "split"])
def test_a_linked_class_folder_names_the_class_by_the_link(tmp_path, level):
    """Whatever the folder behind it is called."""
    root, store = tmp_path / "set", tmp_path / "store"
    make_images(root, f"{level}fake/1.png", f"{level}fake/2.png")
    make_images(store, "fake_or_not/valid/3.png", "fake_or_not/4.png")
    (root / f"{level}real").symlink_to(store / "fake_or_not")
    result = scan(root)
    labels = {
        path.removeprefix(level): label for path, label in zip(result.table.path, result.table.label, strict=True)
    }
    assert labels == {"fake/1.png": FAKE, "fake/2.png": FAKE, "real/valid/3.png": REAL, "real/4.png": REAL}
    assert not list(result.left_out)
    assert result.unreadable.empty


FOLDERS = [
    pytest.param(
        {"train/real/1.png": (REAL, "train"), "train/fake/1.png": (FAKE, "train"),
         "val/real/1.png": (REAL, "validation"), "test/fake/1.png": (FAKE, "test")},
        id="train-val-test",
    ),
    pytest.param(
        {"Train/Real/1.PNG": (REAL, "train"), "VALIDATION/FAKE/1.png": (FAKE, "validation"),
         "Valid/real/1.png": (REAL, "validation"), "Testing/Fake/1.png": (FAKE, "test")},
        id="letter-case-does-not-matter",
    ),
    pytest.param(
        {"real/train/1.png": (REAL, "train"), "fake/test/1.png": (FAKE, "test")}, id="splits-inside-the-classes"
    ),
    pytest.param({"real/1.png": (REAL, None), "fake/1.png": (FAKE, None)}, id="classes-only"),
    pytest.param({"real_data/1.png": (REAL, None), "fake_data/1.png": (FAKE, None)}, id="real_data-fake_data"),
    pytest.param(
        {"training_real/1.png": (REAL, "train"), "training_fake/1.png": (FAKE, "train")},
        id="training_real-tells-the-split",
    ),
    pytest.param({"0_real/1.png": (REAL, None), "1_fake/1.png": (FAKE, None)}, id="0_real-1_fake"),
    pytest.param({"original/1.png": (REAL, None), "manipulated/1.png": (FAKE, None)}, id="original-manipulated"),
    pytest.param({"real/1.png": (REAL, None), "AI/1.png": (FAKE, None)}, id="ai"),
    pytest.param({"Real Images/1.png": (REAL, None), "AI-generated/1.png": (FAKE, None)}, id="spaces-and-dashes"),
    pytest.param(
        {"real_cifake_images/1.png": (REAL, None), "fake_cifake_images/1.png": (FAKE, None)}, id="competition"
    ),
]  # fmt: skip


@pytest.mark.parametrize("wrapper", ["", "archive/", "a/b/Dataset (1)/data/"], ids=["flat", "wrapped", "deep"])
@pytest.mark.parametrize("expected", FOLDERS)
def test_folder_layouts(tmp_path, wrapper, expected):
    make_images(tmp_path, *(wrapper + name for name in expected))
    assert placed(tmp_path) == {wrapper + name: (*place, None) for name, place in expected.items()}


GROUPED = [
    pytest.param(
        {"dalle/0_real/1.png": (REAL, None, "dalle"), "dalle/1_fake/1.png": (FAKE, None, "dalle"),
         "sdxl/0_real/1.png": (REAL, None, "sdxl"), "sdxl/1_fake/1.png": (FAKE, None, "sdxl")},
        id="generator-over-class",
    ),
    pytest.param(
        {"real/camera/1.png": (REAL, None, "camera"), "fake/sdxl/1.png": (FAKE, None, "sdxl")}, id="class-over-source"
    ),
    pytest.param(
        {"train/biggan/nature/1.png": (REAL, "train", "biggan"), "train/biggan/ai/1.png": (FAKE, "train", "biggan"),
         "val/adm/nature/1.png": (REAL, "validation", "adm"), "val/adm/ai/1.png": (FAKE, "validation", "adm")},
        id="split-generator-class",
    ),
    pytest.param(
        {"original_sequences/youtube/1.png": (REAL, None, "youtube"),
         "manipulated_sequences/Deepfakes/1.png": (FAKE, None, "Deepfakes"),
         "manipulated_sequences/FaceSwap/1.png": (FAKE, None, "FaceSwap")},
        id="a-generator-named-like-a-class",
    ),
]  # fmt: skip


@pytest.mark.parametrize("wrapper", ["", "archive/data/"], ids=["flat", "wrapped"])
@pytest.mark.parametrize("expected", GROUPED)
def test_generators_and_sources_become_groups(tmp_path, wrapper, expected):
    make_images(tmp_path, *(wrapper + name for name in expected))
    assert placed(tmp_path) == {wrapper + name: place for name, place in expected.items()}
    assert "grouped" in scan(tmp_path).layout


def test_a_subject_named_like_a_class_does_not_turn_a_fake_into_a_real_one(tmp_path):
    make_images(tmp_path, "real/people/1.png", "fake/people/1.png", "fake/nature/1.png")
    result = placed(tmp_path)
    assert result.get("fake/nature/1.png", (FAKE,))[0] == FAKE, "refused with a reason would be right too"


def test_test_images_without_a_class_are_unlabelled_and_no_fault(tmp_path):
    make_images(tmp_path, "real/1.png", "fake/1.png", "test/1.png", "test/2.png")
    result = scan(tmp_path)
    assert len(result.usable) == 2
    assert result.unreadable.empty
    assert (result.table.split == UNLABELLED).sum() == 2


def test_a_group_that_all_share_is_no_group(tmp_path):
    make_images(tmp_path, "real/celebs/1.png", "fake/celebs/1.png")
    assert {place[2] for place in placed(tmp_path).values()} == {None}


def test_an_image_outside_of_the_classes_is_a_row_with_its_reason(tmp_path):
    make_images(tmp_path, "train/real/1.png", "train/fake/1.png", "train/misc/1.png", "2.png")
    assert set(errors(tmp_path)) == {"train/misc/1.png", "2.png"}
    assert "names a class" in errors(tmp_path)["2.png"]


def test_hidden_and_foreign_files_are_passed_over(tmp_path):
    make_images(tmp_path, "real/1.png", "fake/1.png", "__MACOSX/real/1.png", ".trash/fake/2.png", "real/.3.png")
    (tmp_path / "README.md").write_text("text")
    (tmp_path / "real" / "notes.txt").write_text("text")
    result = scan(tmp_path)
    assert len(result.table) == 2
    assert {(one.path, one.files, one.missed) for one in result.left_out} == {
        ("README.md", 1, False), ("real/notes.txt", 1, False), (".*", 1, False), (".trash", 1, True),
        ("real/.3.png", 1, True),
    }  # fmt: skip


def test_images_come_in_natural_order(tmp_path):
    make_images(tmp_path, "real/10.png", "real/2.png", "real/1.png", "fake/1.png")
    assert [path for path in scan(tmp_path).table.path if path.startswith("real")] == [
        "real/1.png", "real/2.png", "real/10.png"]  # fmt: skip


def test_one_class_only_is_read(tmp_path):
    make_images(tmp_path, "real/1.png", "real/2.png")
    result = scan(tmp_path)
    assert result.counts().loc["not yet split"].to_dict() == {"real": 2, "fake": 0}


def test_the_small_data_set(small_dataset):
    result = scan(small_dataset)
    assert result.name == "small"
    assert (result.counts() == 12).all(axis=None)
    assert list(result.counts().index) == ["train", "validation", "test"]
    assert image_side(result) == 32
    assert not result.demonstration
    row = result.table.iloc[0]
    data = (small_dataset / row.path).read_bytes()
    assert (row.width, row.height, row.format, row.bytes) == (32, 32, "PNG", len(data))
    assert row.sha256 == decoder.sha256_bytes(data)
    assert result.table.quality.isna().all(), "only a JPEG has a quality"


def test_the_quality_of_jpegs_is_a_column_that_is_remembered(tmp_path):
    make_image(tmp_path / "real" / "1.jpg", quality=60)
    make_image(tmp_path / "fake" / "1.jpg", quality=95)
    make_image(tmp_path / "fake" / "2.png")
    for time in ("first", "from memory"):
        table = scan(tmp_path).table.set_index("path")
        assert abs(table.quality["real/1.jpg"] - 60) <= 2, time
        assert abs(table.quality["fake/1.jpg"] - 95) <= 2, time
        assert table.quality["fake/2.png"] is pd.NA, time
        assert table.quality.dtype == "Int32", time


NO_LAYOUT = [
    pytest.param([], "No images were found", id="an-empty-folder"),
    pytest.param(["cats/1.png", "dogs/1.png"], "names a class", id="other-classes"),
    pytest.param(["1.png"], "names a class", id="no-folders"),
    pytest.param(["test/1.png"], "names a class", id="only-an-unlabelled-test"),
]


@pytest.mark.parametrize(("names", "message"), NO_LAYOUT)
def test_an_unknown_layout_is_told_with_those_that_are_known(tmp_path, names, message):
    make_images(tmp_path, *names)
    with pytest.raises(LayoutError, match=message) as caught:
        scan(tmp_path)
    for layout in KNOWN_LAYOUTS:
        assert layout in str(caught.value)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(LayoutError, match="There is no folder or manifest"):
        scan(tmp_path / "gone")
    picture = make_image(tmp_path / "1.png")
    with pytest.raises(LayoutError, match=r"folder or a table of images \(\.csv"):
        scan(picture)


# === Images that cannot be read ===


def test_unreadable_images_are_rows_with_their_reasons(tmp_path):
    make_images(tmp_path, "real/good.png", "fake/good.png", "real/cut.png", "real/cut.jpg", "fake/cut.gif")
    for name in ("cut.png", "cut.jpg"):
        data = (tmp_path / "real" / name).read_bytes()
        (tmp_path / "real" / name).write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "fake" / "cut.gif").write_bytes(b"GIF89a\x01")
    (tmp_path / "fake" / "empty.png").touch()
    (tmp_path / "fake" / "text.png").write_text("no image")
    (tmp_path / "fake" / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    result = errors(tmp_path)
    assert set(result) == {"real/cut.png", "real/cut.jpg", "fake/cut.gif", "fake/empty.png", "fake/text.png",
                          "fake/dangling.png"}  # fmt: skip
    assert "empty" in result["fake/empty.png"]
    assert "Not an image" in result["fake/text.png"]
    assert "There is no file" in result["fake/dangling.png"]
    assert len(scan(tmp_path).usable) == 2


# === Notes ===


def test_copies_contradictions_and_leaks_are_noted(tmp_path):
    make_images(tmp_path, "train/real/1.png", "train/fake/1.png", "test/real/1.png", "test/fake/1.png")
    shutil.copy(tmp_path / "train/real/1.png", tmp_path / "train/real/copy.png")
    shutil.copy(tmp_path / "train/real/1.png", tmp_path / "test/real/leak.png")
    shutil.copy(tmp_path / "train/fake/1.png", tmp_path / "train/real/contradiction.png")
    notes = " ".join(scan(tmp_path).notes)
    assert "1 image stands under both classes" in notes
    assert "3 images are exact copies" in notes
    assert "1 image stands in more than one split" in notes


def test_a_clean_data_set_has_no_notes(small_dataset):
    assert scan(small_dataset).notes == ()


def test_the_fingerprint_is_of_content_and_place_alone(tmp_path, small_dataset):
    copy = tmp_path / "copy" / "wrapped"
    shutil.copytree(small_dataset, copy)
    (copy / "train/real/0.png").rename(copy / "train/real/renamed.png")
    assert scan(copy.parent).fingerprint == scan(small_dataset).fingerprint
    (copy / "train/real/renamed.png").rename(copy / "test/real/renamed.png")
    assert scan(copy.parent).fingerprint != scan(small_dataset).fingerprint


def test_a_data_set_that_is_not_split_yet_has_a_fingerprint(tmp_path):
    make_images(tmp_path, "real/1.png", "fake/1.png")
    before = scan(tmp_path).fingerprint
    make_images(tmp_path, "fake/2.png")
    assert scan(tmp_path).fingerprint != before


# === The competition's JSON ===


@pytest.fixture
def competition(tmp_path):
    """Two real and two fake images with label files that agree with the folders, and an unlabelled test."""
    for label in ("real", "fake"):
        make_images(tmp_path, *(f"{label}_cifake_images/{number}.png" for number in (1, 2)))
        entries = [{"index": number, "prediction": label} for number in (1, 2)]
        (tmp_path / f"{label}_cifake_preds.json").write_text(json.dumps(entries))
    make_images(tmp_path, "test/1.png")
    return tmp_path


def test_the_competition_as_it_should_be(competition):
    result = scan(competition)
    assert "competition" in result.layout
    assert result.notes == ()
    assert (len(result.usable), len(result.table)) == (4, 5)


FAULTS = [
    pytest.param([{"index": 1, "prediction": "fake"}, {"index": 2, "prediction": "real"}], "1 of 2 labels", id="wrong"),
    pytest.param([{"index": 1, "prediction": "?"}, {"index": 2, "prediction": "real"}], "1 of 2 labels", id="unknown"),
    pytest.param([{"index": 1, "prediction": "real"}], "1 differ", id="one-missing"),
    pytest.param([{"index": n, "prediction": "real"} for n in (1, 2, 3)], "1 differ", id="one-too-many"),
    pytest.param([{"index": 1}], "could not be read", id="no-prediction"),
    pytest.param({"1": "real"}, "could not be read", id="no-list"),
    pytest.param(None, "could not be read", id="nothing"),
]


@pytest.mark.parametrize(("entries", "message"), FAULTS)
def test_faults_of_the_label_file_are_noted_and_the_folders_count(competition, entries, message):
    (competition / "real_cifake_preds.json").write_text(json.dumps(entries))
    result = scan(competition)
    assert any(message in note and "real_cifake_preds.json" in note for note in result.notes), result.notes
    assert result.counts().loc["not yet split"].to_dict() == {"real": 2, "fake": 2}


def test_a_broken_label_file_is_noted(competition):
    (competition / "real_cifake_preds.json").write_bytes(b'[{"index": 1, \xff')
    assert any("real_cifake_preds.json could not be read" in note for note in scan(competition).notes)


def test_the_label_file_belongs_to_its_folder_in_any_letter_case(competition):
    (competition / "real_cifake_images").rename(competition / "Real_CIFAKE_images")
    result = scan(competition)
    assert len(result.usable) == 4
    assert result.notes == ()


@pytest.mark.shared
def test_the_competition_data_with_their_faults(shared):
    result = scan(shared / "data" / "cifake")
    assert result.counts().loc["not yet split"].to_dict() == {"real": 1000, "fake": 1000}
    assert (result.table.split == UNLABELLED).sum() == 500


@pytest.mark.shared
def test_generators_as_groups_in_real_data(shared):
    result = scan(shared / "data" / "photo_generators")
    assert result.usable.group.nunique() == 6
    assert result.counts().loc["not yet split"].to_dict() == {"real": 150, "fake": 150}


# === Manifests ===

ROWS = {
    "path": ["a/1.png", "a/2.png", "b/3.png", "b/4.png"],
    "label": ["real", "fake", "Authentic", "AI-generated"],
    "split": ["train", "val", "Test", ""],
    "group": ["camera", "sdxl", "", ""],
}
PLACES = {
    "a/1.png": (REAL, "train", "camera"),
    "a/2.png": (FAKE, "validation", "sdxl"),
    "b/3.png": (REAL, "test", None),
    "b/4.png": (FAKE, None, None),
}


def write_manifest(path, rows: dict) -> None:
    table = pd.DataFrame(rows)
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.parquet", "other name.csv"])
def test_manifests(tmp_path, name):
    make_images(tmp_path, *ROWS["path"])
    write_manifest(tmp_path / name, ROWS)
    root = tmp_path if name.startswith("manifest") else tmp_path / name
    assert placed(root) == PLACES
    assert name in scan(root).layout
    assert scan(root).root == tmp_path


def test_a_manifest_with_path_and_label_only(tmp_path):
    make_images(tmp_path, *ROWS["path"])
    (tmp_path / "manifest.csv").write_text(" Path ,LABEL\na/1.png,Real\na\\2.png,FAKE\n")
    assert placed(tmp_path) == {"a/1.png": (REAL, None, None), "a/2.png": (FAKE, None, None)}


@pytest.mark.parametrize("label", [int, float], ids=["whole-numbers", "floats"])
def test_numbers_as_labels_in_parquet_are_asked_for(tmp_path, label):
    make_images(tmp_path, "a/1.png", "a/2.png")
    write_manifest(tmp_path / "manifest.parquet", {"path": ["a/1.png", "a/2.png"], "label": [label(0), label(1)]})
    with pytest.raises(ConventionUnknown, match="column label"):
        scan(tmp_path)
    result = scan(tmp_path, reading=Reading(labels={"0": "fake", "1": "real"})).usable
    assert dict(zip(result.path, result.label, strict=True)) == {"a/1.png": FAKE, "a/2.png": REAL}


def test_missing_values_in_parquet_mean_what_empty_fields_in_csv_mean(tmp_path):
    make_images(tmp_path, *ROWS["path"])
    rows = ROWS | {name: [value or None for value in ROWS[name]] for name in ("split", "group")}
    write_manifest(tmp_path / "manifest.parquet", rows)
    assert placed(tmp_path) == PLACES


BAD_ROWS = [
    pytest.param("a/1.png,maybe,,", "real or fake in the column label. Received: 'maybe'", id="unknown-label"),
    pytest.param("a/1.png,,,", "Expected the label", id="no-label"),
    pytest.param("a/1.png,2,,", "Received: '2'", id="a-third-class"),
    pytest.param("a/1.png,real,half,", "Received: 'half'", id="unknown-split"),
    pytest.param("a/gone.png,real,,", "There is no file", id="missing-image"),
    pytest.param("a,real,,", "is a folder", id="a-folder"),
    pytest.param(",real,,", "names no file", id="no-path"),
    pytest.param("../outside.png,real,,", "leads out of", id="path-leads-out"),
    pytest.param("a/../../outside.png,real,,", "leads out of", id="path-leads-out-by-a-detour"),
    pytest.param("/outside.png,real,,", "leads out of", id="absolute-path"),
    pytest.param("link/outside.png,real,,", "leads out of", id="link-leads-out"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
def test_a_bad_row_of_a_manifest_is_listed_and_the_others_serve(tmp_path, row, message):
    root = tmp_path / "data"
    make_images(root, "a/1.png", "a/2.png", "a/3.png")
    make_images(tmp_path, "outside.png")
    (root / "link").symlink_to(tmp_path)
    others = "a/2.png,real,train,\na/3.png,fake,train,\n"
    (root / "manifest.csv").write_text(f"path,label,split,group\n{row}\n{others}")
    result = scan(root)
    assert len(result.usable) == 2
    assert [message in error for error in result.unreadable.error] == [True]
    assert result.unreadable.path.tolist() == [row.split(",")[0]]


def test_a_path_named_twice_is_refused_only_where_the_row_is_bad(tmp_path):
    make_images(tmp_path, "a/1.png", "a/2.png")
    (tmp_path / "manifest.csv").write_text("path,label\na/1.png,real\na/1.png,maybe\na/2.png,fake\n")
    result = scan(tmp_path)
    assert len(result.unreadable) == 1
    assert len(result.usable) == 2


BAD_MANIFESTS = [
    pytest.param("file,md5\n1.png,0\n", "path and label.*Received: file, md5", id="missing-column"),
    pytest.param("", "cannot be read as a table", id="empty"),
    pytest.param("path,label\n", "none of its 0 rows", id="no-rows"),
    pytest.param("path,label\n1.png,cat\n", "column label are real and which are fake.*'cat'", id="unknown-label"),
]


@pytest.mark.parametrize(("text", "message"), BAD_MANIFESTS)
def test_a_manifest_that_cannot_serve_is_refused_with_the_reason(tmp_path, text, message):
    make_images(tmp_path, "1.png")
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(LayoutError, match=message):
        scan(tmp_path)


def test_a_damaged_parquet_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(LayoutError, match=r"manifest\.parquet cannot be read as a table"):
        scan(tmp_path)


LABELS = [(0, None), ("1", None), ("-1", None), ("1.0", None), ("!real", None)]
LABELS += [(" Real ", 0), ("AI-Generated", 1), ("2", None), ("", None), (None, None)]


@pytest.mark.parametrize(("text", "label"), LABELS)
def test_labels_as_people_write_them(text, label):
    assert parse_label(text) == label


def test_splits_as_people_write_them():
    assert [parse_split(text) for text in ("TRAIN", "valid", "Val", "dev", "testing")] == [
        "train", "validation", "validation", "validation", "test"]  # fmt: skip
    assert parse_split("half") is None


# === Progress and memory ===


def test_progress_is_told_to_the_end(small_dataset):
    text = []
    scan(small_dataset, progress=lambda done, total: text.append((done, total)))
    assert text[-1] == (72, 72)
    assert text == sorted(text)
    assert len(text) > 1


def count_decoding(monkeypatch) -> list:
    decoded, look = [], sandbox.look

    def counted(data):
        decoded.append(data)
        return look(data)

    monkeypatch.setattr(sandbox, "look", counted)
    return decoded


def test_unchanged_files_are_not_read_again_and_changed_ones_are(tmp_path, monkeypatch):
    root = tmp_path / "set"
    make_images(root, "real/1.png", "real/2.png", "fake/1.png")
    (root / "fake" / "bad.png").write_text("no image")
    decoded = count_decoding(monkeypatch)
    first = scan(root)
    assert len(decoded) == 4
    second = scan(root)
    assert len(decoded) == 4, "the second scan decoded nothing"
    pd.testing.assert_frame_equal(first.table, second.table)

    make_image(root / "real/2.png", (9, 9), seed=99)
    os.utime(root / "real/2.png", ns=(1, 1))
    make_images(root, "fake/3.png")
    (root / "real/1.png").unlink()
    third = scan(root).table.set_index("path")
    assert len(decoded) == 6
    assert third.loc["real/2.png", "width"] == 9
    assert third.loc["real/2.png", "sha256"] != first.table.set_index("path").loc["real/2.png", "sha256"]
    assert set(third.index) == {"real/2.png", "fake/1.png", "fake/3.png", "fake/bad.png"}


def test_a_damaged_memory_is_no_memory(tmp_path):
    root = tmp_path / "set"
    make_images(root, "real/1.png", "fake/1.png")
    first = scan(root, cache=tmp_path / "cache")
    for file in (tmp_path / "cache" / "scans").iterdir():
        file.write_bytes(b"PAR1 nonsense")
    pd.testing.assert_frame_equal(scan(root, cache=tmp_path / "cache").table, first.table)


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path):
    make_images(tmp_path / "set", "real/1.png", "fake/1.png")
    (tmp_path / "file").touch()
    assert len(scan(tmp_path / "set", cache=tmp_path / "file").usable) == 2


def test_a_file_that_could_not_be_opened_for_a_moment_is_tried_again(tmp_path, monkeypatch):
    make_images(tmp_path, "real/1.png", "fake/1.png")

    def busy(path):
        raise ImageError(f"{path} could not be read: Too many open files.")

    with monkeypatch.context() as context:
        context.setattr(decoder, "read_bytes", busy)
        assert len(scan(tmp_path).unreadable) == 2
    assert len(scan(tmp_path).usable) == 2


# === Files to judge ===


def test_files_and_folders_to_judge_are_listed_in_natural_order(tmp_path):
    make_images(tmp_path, "in/10.png", "in/9.png", "one.png")
    (tmp_path / "in" / "notes.txt").touch()
    result = list_images([tmp_path / "one.png", str(tmp_path / "in")])
    assert [path.name for path in result] == ["one.png", "9.png", "10.png"]


def test_nothing_to_judge_is_an_error(tmp_path):
    with pytest.raises(InputError, match="There is no file or folder"):
        list_images([tmp_path / "gone"])
    with pytest.raises(InputError, match="No images were found"):
        list_images([tmp_path])
