"""The audit finds planted faults, and nothing where there is none."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image, PngImagePlugin

from dfcore.audit import Audit, Finding, duplicates
from dfcore.audit.run import audit, gather
from dfcore.datasets import scan
from dfcore.errors import DatasetError, InputError
from tests.unit.audit_sets import jpeg, make_set, picture, png


def found(root, **options) -> Audit:
    return audit(scan(root), networks=False, **options)


def _exif(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[271], exif[272] = "Maker", "Camera"
    return jpeg(image, exif=exif)


def _software(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[305] = "a generator"
    return jpeg(image, exif=exif)


def _text(image: Image.Image) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "steps: 20")
    return png(image, pnginfo=info)


def _was_jpeg(image: Image.Image) -> bytes:
    return png(Image.open(io.BytesIO(jpeg(image, quality=40))))


# What the file of a fake is like, and that of a real image; the word that the finding must name.
SHORTCUTS = {
    "format": (png, jpeg, "format"),
    "quality": (lambda image: jpeg(image, quality=80), jpeg, "JPEG quality"),
    "subsampling": (lambda image: jpeg(image, subsampling=0), jpeg, "subsampling"),
    "camera": (jpeg, _exif, "EXIF camera"),
    "software": (_software, jpeg, "EXIF software"),
    "profile": (lambda image: jpeg(image, icc_profile=b"a profile" * 20), jpeg, "ICC profile"),
    "progressive": (lambda image: jpeg(image, progressive=True), jpeg, "progressive"),
    "comment": (lambda image: jpeg(image, comment=b"made by"), jpeg, "comment"),
    "text": (_text, png, "PNG: text"),
    "mode": (lambda image: png(image.convert("L")), png, "mode"),
    "was JPEG": (_was_jpeg, png, "blockiness"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTCUTS)
def test_finds_shortcuts(tmp_path, name):
    fake, real, word = SHORTCUTS[name]
    result = found(make_set(tmp_path / "set", fake=fake, real=real))
    (finding,) = result.kind("shortcuts")
    assert finding.severity == "high" and finding.figures["auc_low"] > 0.65
    assert word in " ".join(finding.details)
    assert {path.split("/")[0] for path in finding.images} == {"real", "fake"}


def test_finds_sizes_by_class(tmp_path):
    (finding,) = found(make_set(tmp_path / "set", fake_size=(72, 64))).kind("shortcuts")
    assert finding.severity == "high" and "72 x 64 px 100%" in " ".join(finding.details)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_is_silent_on_a_clean_set(tmp_path, seed):
    result = found(make_set(tmp_path / "set", seed=seed, splits=("train", "validation"), count=30), seed=seed)
    assert not result.of("high", "medium"), result.findings
    assert {finding.kind for finding in result.of("low")} <= {"balance"}
    assert result.notes == ("Labels were not questioned with networks.",)


def test_says_so_if_all_facts_agree(tmp_path):
    def flat(image: Image.Image) -> bytes:
        image = Image.fromarray((np.asarray(image) > 127).astype(np.uint8) * 255)
        buffer = io.BytesIO()
        image.save(buffer, "BMP")
        return buffer.getvalue()

    root = make_set(tmp_path / "set", real=flat, fake=flat)
    for path in root.rglob("*.jpg"):
        path.rename(path.with_suffix(".bmp"))
    (finding,) = found(root).kind("shortcuts")
    assert finding.severity == "ok"


def test_cannot_say_with_few_images(tmp_path):
    (finding,) = found(make_set(tmp_path / "set", count=8, fake=png)).kind("shortcuts")
    assert finding.severity == "ok" and "too few" in finding.title and "8 real, 8 fake" in finding.meaning


@pytest.fixture(scope="module")
def split_set(tmp_path_factory):
    """A set with splits, and the audit's arguments for copies planted in it."""
    return make_set(tmp_path_factory.mktemp("split") / "set", splits=("train", "test"))


def _copied(split_set, tmp_path):
    import shutil

    return shutil.copytree(split_set, tmp_path / "set")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (None, "copies"),
        (lambda image: image, "near-duplicates"),
        (lambda image: image.resize((48, 48)), "near-duplicates"),
        (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), "near-duplicates"),
    ],
)
@pytest.mark.parametrize(
    ("target", "place"), [("test/real", " across splits"), ("train/fake", " across classes"), ("train/real", "")]
)
def test_finds_copies(split_set, tmp_path, change, kind, target, place):
    root = _copied(split_set, tmp_path)
    for number in range(3):
        data = (root / "train" / "real" / f"{number}.jpg").read_bytes()
        if change:
            data = jpeg(change(Image.open(io.BytesIO(data))), quality=75)
        (root / target / f"copy{number}.jpg").write_bytes(data)
    result = {finding.kind: finding for finding in duplicates.find(gather(scan(root)))}
    finding = result[kind + place]
    planted = {frozenset((f"train/real/{number}.jpg", f"{target}/copy{number}.jpg")) for number in range(3)}
    assert {frozenset(pair) for pair in finding.pairs} == planted and finding.count == 3
    assert finding.severity in {"": ("low",)}.get(place, ("high", "medium"))
    assert [other.kind for other in result.values() if other.severity != "ok"] == [finding.kind]
    if place == " across splits":
        assert len(finding.exclude) == 3 and finding.figures["share of held-out images"] == pytest.approx(3 / 53)
    elif kind == "near-duplicates" and place:
        assert sorted(map(len, finding.together)) == [2, 2, 2]


def test_copies_are_to_be_kept_together_before_splits_are_drawn(tmp_path):
    root = make_set(tmp_path / "set")
    (root / "real" / "again.jpg").write_bytes(jpeg(Image.open(root / "real" / "0.jpg"), quality=70))
    data = scan(root)  # Of more than some thousand images it does not look for near-duplicates.
    unknown = data.with_table(data.table.assign(source_id=pd.Series(None, index=data.table.index, dtype="str")))
    for dataset, severity, groups in ((data, "low", 0), (unknown, "medium", 1)):
        finding = {finding.kind: finding for finding in duplicates.find(gather(dataset))}["near-duplicates"]
        assert finding.severity == severity and len(finding.together) == groups and finding.count == 1
        assert "kept together" in finding.meaning or "Keep them together" in finding.advice


def test_finds_blank_tiny_and_unreadable_images(tmp_path):
    root = make_set(tmp_path / "set", real=png, fake=png)
    Image.new("RGB", (64, 64), (9, 200, 9)).save(root / "fake" / "blank.png")
    picture(np.random.default_rng(9), (12, 12)).save(root / "real" / "tiny.png")
    (root / "real" / "broken.png").write_bytes(b"no image")
    result = found(root)
    (blank,), (tiny,), (unusable,) = (result.kind(kind) for kind in ("blank", "tiny", "unusable"))
    assert blank.images == ("fake/blank.png",) and len(blank.exclude) == 1
    assert tiny.images == ("real/tiny.png",)
    assert unusable.images == ("real/broken.png",) and unusable.severity == "low"


@pytest.mark.parametrize(("real", "severity"), [(120, "ok"), (480, "low"), (1500, "medium")])
def test_tells_imbalance(real, severity):
    from dfcore.audit.basics import _balance

    rows = pd.DataFrame({"label": [0] * real + [1] * 120})
    assert _balance(rows).severity == severity


def test_tells_groups_and_classes_in_one_split_only(tmp_path):
    root = make_set(tmp_path / "set", splits=("train/dalle", "train/sdxl", "test/sdxl"), count=6)
    (groups,) = found(root).kind("groups")
    assert groups.severity == "low" and groups.count == 12 and "dalle" in groups.details[0]
    for path in (root / "test" / "sdxl" / "fake").iterdir():
        path.unlink()
    (splits,) = found(root).kind("splits")
    assert splits.severity == "high" and "test" in splits.title


def test_content_probe_names_subjects(tmp_path):
    def reddish(image: Image.Image) -> bytes:
        pixels = np.asarray(image).astype(int) + np.array([40, 0, -40])
        return jpeg(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))

    root = make_set(tmp_path / "set", fake=reddish)
    for path in root.rglob("*.jpg"):  # Far larger than 32 pixels: no traces in a thumbnail.
        path.write_bytes(jpeg(Image.open(path).resize((160, 160))))
    (finding,) = found(root).kind("content")
    assert finding.severity == "high" and "subjects, not traces" in finding.meaning


def test_a_manifest_that_contradicts_the_folders(tmp_path):
    root = make_set(tmp_path / "set")
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))
    labels = ["real" if name.startswith("real") else "fake" for name in names]
    labels[:4] = ["real" if label == "fake" else "fake" for label in labels[:4]]
    pd.DataFrame({"path": names, "label": labels}).to_csv(root / "manifest.csv", index=False)
    (finding,) = found(root).kind("manifest labels")
    assert set(finding.images) == set(names[:4]) and finding.severity == "high"


def test_json_goes_both_ways(tmp_path):
    result = found(make_set(tmp_path / "set", count=3))
    assert Audit.from_json(result.to_json()) == result
    with pytest.raises(InputError, match=r"Expected the JSON of an audit. Received: '\[\]'"):
        Audit.from_json("[]")


@pytest.mark.slow
def test_findings_come_by_severity_and_are_repeatable(tmp_path):
    root = make_set(tmp_path / "set", fake=png)
    steps: list[tuple[int, int]] = []
    first = found(root, progress=lambda done, total: steps.append((done, total)))
    order = ["high", "medium", "low", "ok"]
    ranks = [order.index(finding.severity) for finding in first.findings]
    assert ranks == sorted(ranks) and first.worst == "high"
    assert [done for done, _ in steps] == sorted(done for done, _ in steps) and steps[-1][0] == steps[-1][1]
    second = found(root)
    assert second.findings == first.findings


def test_needs_a_usable_image(tmp_path):
    root = make_set(tmp_path / "set", count=1)
    for path in root.rglob("*.jpg"):
        path.write_bytes(b"nothing")
    with pytest.raises(DatasetError, match="no image that can be used"):
        found(root)


def test_finding_has_a_default_for_everything_but_its_text():
    assert Finding(kind="k", severity="ok", title="t", meaning="m").count == 0


def test_sources_in_two_splits_are_told(tmp_path):
    data = scan(make_set(tmp_path / "set", splits=("train", "test"), count=6))
    names = [f"video {'ab'[number % 2]}" if number < 8 else None for number in range(len(data.table))]
    parts = data.table.path.sort_values(key=lambda column: column.str[-5:]).index
    table = data.table.assign(source_id=pd.Series(names, index=parts, dtype="str"))
    finding = {finding.kind: finding for finding in duplicates.find(gather(data.with_table(table)))}["sources"]
    assert finding.severity == "high" and finding.count == 2
    assert all(first.split("/")[0] != second.split("/")[0] for first, second in finding.pairs)


def test_label_files_that_contradict_their_folder_come_with_images(tmp_path):
    import json

    root = make_set(tmp_path / "set", count=4)
    for label in ("real", "fake"):
        (root / label).rename(root / f"{label}_cifake_images")
    told = [{"index": number, "prediction": "fake" if number == 2 else "real"} for number in range(4)]
    (root / "real_cifake_preds.json").write_text(json.dumps(told), encoding="utf-8")
    (finding,) = found(root).kind("label files")
    assert finding.severity == "medium" and finding.images == ("real_cifake_images/2.jpg",) and finding.count == 1
