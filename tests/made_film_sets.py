"""Replicas of well-known data sets of films, of tiny films."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.made_films import film


@cache
def tiny(frames: int = 16, rate: int = 8) -> bytes:
    """A film of 2 s, 96 x 72 pixels."""
    from tests.made_films import picture

    return film([picture(number, 96, 72) for number in range(frames)], rate=rate)


def put(root: Path, films: Mapping[str, bytes | None]) -> Path:
    """Writes films under a folder; None for `tiny`."""
    for name, content in films.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny() if content is None else content)
    return root


def face_forensics(
    root: Path, videos: int = 6, *, splits: bool = True, methods: tuple[str, ...] = ("Deepfakes",)
) -> Path:
    """FaceForensics++: pairs (000, 001), (002, 003) and so on, with masks and lists of splits."""
    pairs = [(f"{n:03d}", f"{n + 1:03d}") for n in range(0, videos, 2)]
    names = [f"original_sequences/youtube/c23/videos/{one}.mp4" for pair in pairs for one in pair]
    for method in methods:
        for one, other in pairs:
            names += [f"manipulated_sequences/{method}/c23/videos/{a}_{b}.mp4" for a, b in ((one, other), (other, one))]
            names += [f"manipulated_sequences/{method}/masks/videos/{one}_{other}.mp4"]
    put(root, dict.fromkeys(names))
    if splits:
        parts: dict[str, list[Any]] = {"train": pairs[:-2], "val": pairs[-2:-1], "test": pairs[-1:]}
        for name, some in parts.items():
            (root / f"{name}.json").write_text(json.dumps(some))
    return root


def celeb_df(root: Path, *, testing: Mapping[str, int] = {}) -> Path:
    """Celeb-DF: id0 and id1 are put into each other's films, so are id2 and id3; others are from YouTube."""
    names = [f"Celeb-real/id{n}_000{k}.mp4" for n in range(6) for k in range(2)]
    names += [f"Celeb-synthesis/id{n}_id{n ^ 1}_000{k}.mp4" for n in range(6) for k in range(2)]
    names += [f"YouTube-real/0000{k}.mp4" for k in range(3)]
    put(root, dict.fromkeys(names))
    if testing:
        lines = "".join(f"{label} {name}\n" for name, label in testing.items())
        (root / "List_of_testing_videos.txt").write_text(lines)
    return root


def dfdc(root: Path) -> Path:
    """DFDC: names of ten letters, with a table that tells label, split and original."""
    real = ["aaaaaaaaaa.mp4", "bbbbbbbbbb.mp4", "cccccccccc.mp4"]
    fake = {"dddddddddd.mp4": real[0], "eeeeeeeeee.mp4": real[0], "ffffffffff.mp4": real[1], "gggggggggg.mp4": real[2]}
    put(root, dict.fromkeys([*real, *fake]))
    rows: dict[str, dict[str, Any]] = {name: {"label": "REAL", "split": "train", "original": None} for name in real}
    rows |= {name: {"label": "FAKE", "split": "train", "original": original} for name, original in fake.items()}
    (root / "metadata.json").write_text(json.dumps(rows))
    return root
