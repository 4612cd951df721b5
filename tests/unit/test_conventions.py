"""Names of well-known data sets and tools: every partition is found as it is, look-alikes are left alone."""

import random
from collections import defaultdict
from collections.abc import Callable

import pytest

from dfcore.datasets.grouping import sources

CLASSES = ("real", "fake")
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank")


def names(count: int, letters: str, length: int) -> list[str]:
    draw = random.Random(length)
    return ["".join(draw.choice(letters) for _ in range(length)) for _ in range(count)]


def partition(paths: list[str], of: Callable[[str], object]) -> set[frozenset[str]]:
    """The paths with one value, as sets; sets of one are left out."""
    parts = defaultdict(set)
    for path in paths:
        if (key := of(path)) is not None:
            parts[key].add(path)
    return {frozenset(part) for part in parts.values() if len(part) > 1}


def folder(path: str) -> str:
    return path.rpartition("/")[0]


def before(mark: str) -> Callable[[str], str]:
    return lambda path: path.rpartition(".")[0].split(mark)[0]


def unsplit(path: str) -> str:
    """Without the first folder, a split, and without the frame's number."""
    return path.partition("/")[2].rpartition("frame")[0]


GROUPED = {
    "few videos": ([f"{c}/video_{v:03d}/{f:04d}.png" for c in CLASSES for v in range(3) for f in range(5)], folder),
    "identifiers of YouTube": (
        [f"fake/a1{v}/{f}.jpg" for v in names(8, "abcXYZ0189-_", 9) for f in range(5)],
        folder,
    ),
    "hashes": (
        [f"fake/{v}/{f}.jpg" for v in names(8, "0123456789abcdef", 32) for f in range(5)],
        folder,
    ),
    "long videos of DFDC side by side": (
        [f"fake/{v}_{f}.jpg" for v in names(6, "abcdefghijklmnopqrstuvwxyz", 10) for f in range(40)],
        before("_"),
    ),
    "a video in two splits": (
        [f"{s}/{c}/vid{v}_frame{f}.jpg" for c in CLASSES for v in range(8)
         for f, s in enumerate(("train", "train", "test"))],
        unsplit,
    ),
    "videos numbered anew in each split": (
        [f"{s}/{c}/vid{v}/frame{f}.jpg" for s in ("train", "test") for c in CLASSES for v in range(8)
         for f in range(3)],
        folder,
    ),
    "videos of FaceForensics++ beside their frames": (
        [f"real/{v:03d}_{f:02d}.png" for v in range(8) for f in range(4)]
        + [f"fake/{v:03d}_{v ^ 1:03d}_{f:02d}.png" for v in range(8) for f in range(4)],
        lambda path: int(path[5:8]) // 2,
    ),
    "videos of FaceForensics++ in several compressions": (
        [f"real/{q}/{v:03d}.png" for q in ("raw", "c23") for v in range(10)]
        + [f"fake/{q}/{v:03d}_{v ^ 1:03d}.png" for q in ("raw", "c23") for v in range(10)],
        lambda path: int(path.split("/")[2][:3]) // 2,
    ),
    "many frames of one chain": (
        [f"original/{v}/{f}.png" for v in ("000", "003") for f in range(60)]
        + [f"Deepfakes/000_003/{f}.png" for f in range(60)],
        lambda path: 1,
    ),
    "actors of DeepFakeDetection": (
        [f"real/{a:02d}__{w}/{f:03d}.png" for a in range(3) for w in ("talk", "walk") for f in range(4)]
        + [f"fake/{a:02d}_{3 - a:02d}__{w}__A1B2C3D4/{f:03d}.png" for a in range(3) for w in ("talk", "walk")
           for f in range(4)],
        lambda path: (path[5:7], "talk" in path),
    ),
    "one copy": (
        [f"{c}/{c}{n * 7}.png" for c in CLASSES for n in range(50)] + ["real/real7 (1).png"],
        lambda path: "copied" if path.startswith(("real/real7.", "real/real7 ")) else None,
    ),
    "crops among whole pictures": (
        [f"{c}/{n:05d}.png" for c in CLASSES for n in range(80)]
        + [f"real/{n:05d}_crop{k}.png" for n in (3, 4, 5) for k in (0, 1)],
        before("_crop"),
    ),
    "versions of an annotation tool": (
        [f"{s}/{c}/pic{n}_jpg.rf.{n:02x}{k}abcdef0123.jpg" for c in CLASSES for n in range(20)
         for k, s in enumerate(("train", "train", "valid"))],
        lambda path: path.partition("/")[2].split("_jpg")[0],
    ),
    "series of persons": (
        [f"{c}/{p}_{f:04d}.jpg" for c in CLASSES for p in PEOPLE for f in range(1, 8)],
        before("_"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPED)
def test_a_partition_is_found_as_it_is(name):
    paths, of = GROUPED[name]
    found, told = sources(paths)
    by_path = dict(zip(paths, found, strict=True))
    assert partition(paths, by_path.__getitem__) == partition(paths, of)
    assert "--groups none" in told[0]


ALONE = {
    "cameras": [f"real/{n}{i:04d}.jpg" for n in ("IMG_", "DSC_", "P", "PXL_", "DSCN", "IMGP") for i in range(1, 20)],
    "unknown generators": [f"fake/{g}_{i:03d}.png" for g in ("foogen", "qwen", "hunyuan", "zimage", "sora", "veo")
                           for i in range(25)],
    "subjects": [f"{c}/{g}_{i:03d}.png" for c in CLASSES for g in ("cat", "dog", "horse", "ship") for i in range(25)],
    "folders of subjects": [f"{c}/{g}/{i:04d}.png" for c in CLASSES for g in PEOPLE for i in range(25)],
    "one collection cut in folders": [f"real/{s:05d}/{s + i:05d}.png" for s in range(0, 8000, 1000)
                                      for i in range(30)],
    "folders of eleven characters": [f"fake/category_{k:02d}/{i}.png" for k in range(9) for i in range(9)],
    "parts": [f"{c}/part{k}/{i:05d}.jpg" for c in CLASSES for k in range(9) for i in range(20)],
    "numbers in brackets": [f"real/{i:04d}{k}.jpg" for i in range(60)
                            for k in ("", *(f" ({j})" for j in range(2, 11)))],
    "generator and prompt": [f"fake/{a:03d}_{b:03d}.png" for a in range(10) for b in range(10)]
    + [f"real/{a:03d}.png" for a in range(100)],
    "prompts of generators": [f"fake/{g}_{i:03d}.png" for g in ("dalle3", "sdxl", "stylegan2", "flux")
                              for i in range(5)],
    "validation images of ImageNet": [f"real/ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 90)],
    "a class told by letters": [f"real/{i}_a.png" for i in range(60)] + [f"fake/{i}_b.png" for i in range(60)],
    "one suffix": [f"{c}/{i:05d}{s}.png" for c, s in zip(CLASSES, ("_resized", "_256x256"), strict=True)
                   for i in range(60)],
    "pictures of a class": [f"{c}/{g}{sign}{i}.jpg" for c in CLASSES for sign in ("_", ".", "-")
                            for g in ("beach", "cat", "dog", "forest", "city", "lake", "river") for i in range(1, 9)],
    "synsets": [f"real/n{k:08d}_{i}.JPEG" for k in range(1440764, 1440776) for i in range(1, 9)],
    "folders of synsets": [f"real/n{k:08d}/{i}.JPEG" for k in range(1440764, 1440776) for i in range(1, 9)],
    "folders of CIFAR-10": [f"{c}/{k}/{i:04d}.png" for c in CLASSES for k in range(10) for i in range(20)],
    "days of a phone": [f"real/IMG-202401{d:02d}-WA{i:04d}.jpg" for d in range(1, 20) for i in range(5)],
    "folders of months": [f"real/2023-{m:02d}/IMG_{i:04d}.jpg" for m in range(1, 13) for i in range(10)],
    "folders of a camera": [f"real/{n}CANON/IMG_{i:04d}.JPG" for n in range(100, 110) for i in range(1, 20)],
    "downloads": [f"{c}/{name}{i}.jpg" for c, name in zip(CLASSES, ("download", "photos"), strict=True)
                  for i in ("", " (1)", " (2)", " (3)")],
    "downloads of generators": [
        f"fake/{name}" for i in range(20) for name in (
            f"DALL·E 2024-01-{i + 1:02d} 12.33.44 - a cat.png", f"{i:05d}-{3456789 + i}.png", f"{i:05d}-77.png",
            f"ComfyUI_{i:05d}_.png", f"ChatGPT Image Apr {i + 1}, 2025, 01_02_03 PM.png",
            f"me_red_cat_{i * 7919:08x}-1111-4222-8333-444455556666_{i % 4}.png")],
    "samples of a tool": [f"{c}/sample_t{i}.png" for c in CLASSES for i in range(40)],
    "COCO": [f"real/{i * i * 911:012d}.jpg" for i in range(1, 90)],
    "a generator's frames": [f"fake/sdxl_frame{i}.png" for i in range(60)],
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_what_only_looks_related_is_left_alone(name):
    found, told = sources(ALONE[name])
    assert not any(found)
    assert not told
