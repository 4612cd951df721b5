"""Copies are found whatever was done to them; pictures that merely resemble each other are not."""

import io
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dfcore.datasets import assign_splits, copies, near_duplicates, near_search, scan, scan_copies
from dfcore.datasets.near_duplicates import CROPPED, MIRRORED, RECODED, clusters, find, sources
from dfcore.datasets.near_memory import NearMemory
from dfcore.imaging import decoder
from dfcore.imaging.signature import THUMB, Signature, signature
from tests.unit.test_signature import picture


def photographs() -> list[np.ndarray]:
    """Distinct parts of the two photographs that come with scikit-learn, without those that show sky only."""
    parts = []
    for name in ("china.jpg", "flower.jpg"):
        whole = np.array(Image.open(str(files("sklearn.datasets") / "images" / name)).convert("RGB"))
        parts += [whole[y : y + 128, x : x + 128] for y in range(0, 384, 128) for x in range(0, 640, 128)]
    return [np.ascontiguousarray(part) for part in parts if part.std() > 10]


PICTURES = [*photographs(), *[picture(seed) for seed in range(20)], *[picture(seed, 32, 32) for seed in range(50, 70)]]
BEFORE = [signature(rgb) for rgb in PICTURES]


# === Copies ===


def coded(rgb, rng):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=int(rng.integers(30, 96)))
    return decoder.decode(file.getvalue())


def resized(rgb, rng):
    width, height = (max(1, round(side * rng.uniform(0.25, 2))) for side in rgb.shape[1::-1])
    return np.array(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def cropped(rgb, rng):
    (top, bottom), (left, right) = (np.round(rng.uniform(0.03, 0.1, 2) * side).astype(int) for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[top : rgb.shape[0] - bottom, left : rgb.shape[1] - right])


def at_one_side(rgb, rng):
    cut = round(0.1 * rgb.shape[1])
    return np.ascontiguousarray(rgb[:, cut:] if rng.integers(2) else rgb[:, :-cut])


def mirrored(rgb, rng):
    return np.ascontiguousarray(rgb[:, ::-1])


EDITS = {
    "coded": ((coded,), RECODED),
    "resized": ((resized,), RECODED),
    "cropped": ((cropped,), CROPPED),
    "at-one-side": ((at_one_side,), CROPPED),
    "mirrored": ((mirrored,), MIRRORED),
    "cropped-coded": ((cropped, coded), CROPPED),
    "mirrored-cropped-coded": ((mirrored, cropped, coded), MIRRORED),
}


def edited(steps, seed: int) -> list[Signature]:
    rng = np.random.default_rng(seed)
    after = PICTURES
    for step in steps:
        after = [step(rgb, rng) for rgb in after]
    return [signature(rgb) for rgb in after]


@pytest.mark.parametrize("name", EDITS)
def test_copies_are_found_and_nothing_else(name):
    steps, kind = EDITS[name]
    count = len(PICTURES)
    pairs = find(BEFORE + edited(steps, 0))
    right = pairs.j == pairs.i + count
    assert pairs[~right].empty
    assert len(pairs) >= 0.95 * count
    assert (pairs.kind == kind).mean() >= 0.9
    assert pairs.distance.between(0, near_duplicates.MOST_DETAIL).all()


def test_the_order_of_pictures_makes_no_difference():
    both = BEFORE + edited((cropped,), 1)
    order = np.random.default_rng(2).permutation(len(both))
    straight, mixed = find(both), find([both[k] for k in order])
    names = {tuple(sorted(order[[i, j]])) for i, j in zip(mixed.i, mixed.j, strict=True)}
    assert names == set(zip(straight.i, straight.j, strict=True))


# === Others ===


def of_thumb(thumb: np.ndarray) -> Signature:
    return signature(np.repeat(np.repeat(thumb, 4, 0), 4, 1))


def ramp(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[0:THUMB, 0:THUMB] / THUMB
    return np.repeat((255 * (x * columns + y * rows)).astype(np.uint8)[..., None], 3, -1)


PLAIN = {
    "blank": lambda rng: np.full((THUMB, THUMB, 3), rng.integers(256), np.uint8),
    "almost-white": lambda rng: rng.integers(253, 256, (THUMB, THUMB, 3), dtype=np.uint8),
    "ramps": lambda rng: ramp(*rng.uniform(0, 0.5, 2)),
    "scanned-paper": lambda rng: (ramp(0.05, 0.05) + 200 + rng.integers(2, size=(THUMB, THUMB, 3))).astype(np.uint8),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_pictures_are_no_copies_of_each_other(name):
    rng = np.random.default_rng(0)
    assert find([of_thumb(PLAIN[name](rng)) for _ in range(60)]).empty


def test_one_composition_does_not_make_a_copy():
    """Aligned portraits, or pictures of one prompt: alike at large, each with details of its own."""
    shared = picture(200).astype(float)
    alike = [signature((0.75 * shared + 0.25 * picture(300 + k)).astype(np.uint8)) for k in range(40)]
    close = np.bitwise_count(np.array([[a.hashes[0] ^ b.hashes[0] for a in alike] for b in alike])) <= 10
    assert close.sum() > 200, "the case is no longer hard: perceptual hashes tell these apart"
    assert find(alike).empty


# === Many ===


def test_a_crowd_of_copies_is_one_cluster_of_few_pairs():
    rng = np.random.default_rng(0)
    crowd = [of_thumb((BEFORE[0].thumb + rng.integers(-2, 3, (THUMB, THUMB, 3))).clip(0, 255).astype(np.uint8))
             for _ in range(200)]  # fmt: skip
    pairs = find([*BEFORE[1:], *crowd])
    labels = clusters(pairs, len(BEFORE) - 1 + len(crowd))
    assert len(set(labels[len(BEFORE) - 1 :])) == 1
    assert len(set(labels)) == len(BEFORE)
    assert len(pairs) < 60 * len(crowd)


def test_copies_are_found_among_thousands():
    """Where the search looks into the nearest cells only."""
    sheet = picture(500, 1600, 1600)
    thumbs = [sheet[y : y + THUMB, x : x + THUMB] for y in range(0, 1600, THUMB) for x in range(0, 1600, THUMB)]
    others = [Signature(thumb, BEFORE[0].hashes, 0, BEFORE[0].mean, 50, 300) for thumb in thumbs]
    count = len(PICTURES)
    pairs = find(BEFORE + edited((mirrored, cropped, coded), 3) + others)
    planted = (pairs.j == pairs.i + count) & (pairs.j < 2 * count)
    assert planted.sum() >= 0.95 * count
    assert (~planted).sum() <= 3


def test_progress_grows_to_the_end():
    steps = []
    find(BEFORE, progress=lambda done, total: steps.append((done, total)))
    assert steps == sorted(steps)
    assert steps[-1] == (len(BEFORE), len(BEFORE))


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_have_no_pairs(count):
    pairs = find(BEFORE[:count])
    assert pairs.empty
    assert clusters(pairs, count).tolist() == [0] * count


# === In a data set ===


def table(*rows: dict) -> tuple[pd.DataFrame, dict[str, Signature]]:
    """Rows that were never files: `of` is the number of a picture, `copy` an edit of it."""
    listed, signatures = [], {}
    rng = np.random.default_rng(7)
    for number, row in enumerate(rows):
        copy = row.get("copy")
        content = f"{row['of']:02}{copy.__name__ if copy else ''}".ljust(64, "0")
        rgb = PICTURES[row["of"]]
        signatures.setdefault(content, signature(copy(rgb, rng) if copy else rgb))
        listed.append({"path": f"{number}.png", "pixels_sha256": content}
                      | {name: row.get(name) for name in ("label", "split", "source_id", "error")})  # fmt: skip
    frame = pd.DataFrame(listed).astype({"label": "Int8", "split": "str", "source_id": "str", "error": "str"})
    return frame, signatures


def test_near_duplicates_get_one_source_and_take_their_sources_with_them():
    rows, signatures = table(
        {"of": 0}, {"of": 0, "copy": cropped}, {"of": 0, "copy": mirrored},
        {"of": 1, "source_id": "b"}, {"of": 1, "copy": coded, "source_id": "a"}, {"of": 2, "source_id": "b"},
        {"of": 3, "source_id": "c"}, {"of": 4}, {"of": 0, "copy": resized, "error": "damaged"},
    )  # fmt: skip
    result = sources(rows, signatures)
    new = f"copies of {rows.pixels_sha256[0][:16]}"
    assert result.fillna("").tolist() == [new] * 3 + ["a"] * 3 + ["c", "", ""]
    shuffled = rows.sample(frac=1, random_state=0)
    pd.testing.assert_series_equal(sources(shuffled, signatures).sort_index(), result)


def test_without_copies_sources_stay_as_they_are():
    rows, signatures = table({"of": 0, "source_id": "a"}, {"of": 1}, {"of": 2, "source_id": "a"})
    pd.testing.assert_series_equal(sources(rows, signatures), rows.source_id)
    pd.testing.assert_series_equal(sources(rows, {}), rows.source_id)


def test_pairs_tell_what_parts_them():
    rows, signatures = table(
        {"of": 0, "label": 0, "split": "train"}, {"of": 0, "label": 0, "split": "test"},
        {"of": 0, "label": 1, "split": "test"}, {"of": 1, "label": 0, "split": "train"},
        {"of": 1, "copy": mirrored, "label": 1, "split": "train"}, {"of": 2, "label": 0},
        {"of": 2, "copy": cropped, "split": "test"}, {"of": 3, "label": 1, "split": "train"},
    )  # fmt: skip
    result = copies.pairs(rows, signatures)
    found = {(row.a[0], row.b[0], row.kind, row.across_splits, row.across_classes) for row in result.itertuples()}
    assert found == {
        ("0", "1", copies.SAME_PIXELS, True, False),
        ("0", "2", copies.SAME_PIXELS, True, True),
        ("1", "2", copies.SAME_PIXELS, False, True),
        ("3", "4", MIRRORED, False, True),
        ("5", "6", CROPPED, False, False),
    }
    assert result.distance.is_monotonic_increasing


# === While scanning ===


def by_file(rows: pd.DataFrame, signatures: dict[str, Signature], asked: list):
    """A stand-in for the scan's memory that notes when it was asked."""
    rows["sha256"] = rows.pixels_sha256.str.replace("0", "f")
    of_file = dict(zip(rows.sha256, rows.pixels_sha256, strict=True))

    def give(files):
        asked.append(len(files))
        return [signatures.get(of_file[file]) for file in files]

    return give


def test_a_scan_searches_once_and_again_after_a_change(tmp_path):
    rows, signatures = table(
        {"of": 0, "split": "train", "label": 0}, {"of": 1}, {"of": 1, "copy": cropped},
        {"of": 0, "copy": mirrored, "split": "test", "label": 1}, {"of": 2},
    )  # fmt: skip
    asked: list[int] = []
    give = by_file(rows, signatures, asked)
    first, notes = scan_copies.with_copies(rows, give, tmp_path, tmp_path)
    pd.testing.assert_series_equal(first.source_id, sources(rows, signatures))
    assert first.source_id.notna().tolist() == [True] * 4 + [False]
    assert [note.split()[0] for note in notes] == ["4", "1", "1"]
    again, repeated = scan_copies.with_copies(rows, give, tmp_path, tmp_path)
    pd.testing.assert_frame_equal(again, first)
    assert (asked, repeated) == ([5], notes)
    fewer, _ = scan_copies.with_copies(rows[1:], give, tmp_path, tmp_path)
    assert fewer.source_id.notna().tolist() == [True, True, False, False]
    assert asked == [5, 4]


@pytest.mark.parametrize("damage", [b"", b"{", b"PK\x03\x04", b"\x93NUMPY", b"\xff\xfe"])
def test_a_damaged_memory_is_searched_anew(tmp_path, damage):
    rows, signatures = table({"of": 1}, {"of": 1, "copy": cropped}, {"of": 2})
    asked: list[int] = []
    give = by_file(rows, signatures, asked)
    first, _ = scan_copies.with_copies(rows, give, tmp_path, tmp_path)
    (memory,) = (tmp_path / "copies").rglob("*.npz")
    memory.write_bytes(damage)
    again, _ = scan_copies.with_copies(rows, give, tmp_path, tmp_path)
    pd.testing.assert_frame_equal(again, first)
    assert len(asked) == 2


def test_a_search_that_was_stopped_goes_on(tmp_path, monkeypatch):
    _, signatures = table({"of": 0}, {"of": 1}, {"of": 1, "copy": cropped}, {"of": 0, "copy": mirrored}, {"of": 2})
    keys, shown = list(signatures), list(signatures.values())
    monkeypatch.setattr(near_search, "QUERIES", 2)
    expected = NearMemory(tmp_path / "other", tmp_path).find(keys, shown)
    searched: list[int] = []
    search = near_search.Index.search

    def stopped_at(most: int):
        def noted(index, own):
            if len(searched) == most:
                raise KeyboardInterrupt
            searched.append(int(own[0]))
            return search(index, own)

        return noted

    memory = NearMemory(tmp_path / "cache", tmp_path)
    monkeypatch.setattr(near_search.Index, "search", stopped_at(2))
    with pytest.raises(KeyboardInterrupt):
        memory.find(keys, shown)
    assert memory.known(keys) is None
    monkeypatch.setattr(near_search.Index, "search", stopped_at(9))
    pd.testing.assert_frame_equal(memory.find(keys, shown), expected)
    assert searched == [0, 2, 4]
    # Neither the order of images nor a second search matters.
    pd.testing.assert_frame_equal(memory.find(keys[::-1], shown[::-1]), expected)
    pd.testing.assert_frame_equal(memory.known(keys[::-1]), expected)
    assert searched == [0, 2, 4]
    assert len(expected) == 2


def test_what_the_audit_has_found_is_known_to_the_scan_of_a_huge_set(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_copies, "MOST", 2)
    rows, signatures = table({"of": 1}, {"of": 1, "copy": cropped}, {"of": 2})
    copies.pairs(rows, signatures, memory=NearMemory(tmp_path, tmp_path))
    asked: list[int] = []
    result, (note,) = scan_copies.with_copies(rows, by_file(rows, signatures, asked), tmp_path, tmp_path)
    pd.testing.assert_series_equal(result.source_id, sources(rows, signatures))
    assert note.startswith("2 images are near-duplicates") and not asked


def test_a_huge_set_is_left_to_the_audit_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(scan_copies, "MOST", 2)
    rows, signatures = table({"of": 1}, {"of": 1, "copy": cropped}, {"of": 2})
    result, (note,) = scan_copies.with_copies(rows, by_file(rows, signatures, []), tmp_path, tmp_path)
    assert result is rows
    assert "were not searched" in note


def test_drawn_splits_never_part_near_duplicates(tmp_path):
    rng = np.random.default_rng(0)
    for label, numbers in (("real", range(0, 16)), ("fake", range(16, 32))):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in numbers:
            rgb = PICTURES[number]
            for name, image in (("a", rgb), ("b", coded(cropped(rgb, rng), rng)), ("c", mirrored(rgb, rng))):
                Image.fromarray(image).save(tmp_path / "set" / label / f"{rng.integers(10**9)}{name}{number}.png")
    result = assign_splits(scan(tmp_path / "set"))
    number = result.table.path.str.extract(r"[abc](\d+)\.png")[0]
    assert result.table.groupby(number.to_numpy()).split.nunique().eq(1).all()
    assert set(result.table.split) == {"train", "validation", "test"}
    assert any("96 images are near-duplicates" in note for note in result.notes)
