"""Lists of splits in the forms of well-known data sets of films, for films and for their frames.

FaceForensics++ has `train.json`, `val.json` and `test.json`, each a list of pairs of videos made into each other.
Celeb-DF has `List_of_testing_videos.txt`, a line for each video, in which 1 is real; the others are for training.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore.datasets import noun
from dfcore.datasets.kinds import PICTURES
from dfcore.datasets.known_sets import marks
from dfcore.datasets.sheets import Sheet
from dfcore.datasets.source_names import Name
from dfcore.datasets.table_paths import Found
from dfcore.datasets.words import TEST, TRAIN, read_name
from dfcore.labels import FAKE, NAMES, REAL
from dfcore.utils.texts import counted, storable

_CELEB_DF = "list_of_testing_videos"
_LINE = re.compile(r"([01])\s+(\S.*)")
_VIDEO = re.compile(r"\d{3}")
_MOST_BYTES = 16 * 2**20


@dataclass
class SplitLists:
    """The lists of a data set.

    Attributes:
        files: The files that were read.
        sheets: What they say of its images, as tables with path and split.
        notes: What a person should know.
        told: The label of each image in a list that tells one, with the list's name.
    """

    files: list[Path] = field(default_factory=list)
    sheets: list[Sheet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    told: dict[str, tuple[int, str]] = field(default_factory=dict)

    def contradictions(self, labels: Mapping[str, int | None]) -> list[str]:
        """A doubt for each list whose labels are not those of the images.

        Args:
            labels: Of the images, by path.
        """
        wrong: dict[str, list[str]] = {}
        counts: dict[str, int] = {}
        for path, (label, name) in self.told.items():
            counts[name] = counts.get(name, 0) + 1
            if labels.get(path) not in (None, label):
                wrong.setdefault(name, []).append(path)
        return [
            f"{name}: {len(paths)} of {counts[name]} labels (1 is real there) contradict the folders, such as that of "
            f"{paths[0]}, which it calls {NAMES[self.told[paths[0]][0]]}; the folders count."
            for name, paths in wrong.items()
        ]


def read_split_lists(root: Path, files: Iterable[Path], images: Sequence[str]) -> SplitLists:
    """Reads the lists among the files of a data set; what is none, or names none of its images, is left alone.

    Args:
        root: The data set's folder.
        files: Files in it that are no images.
        images: Paths of the images, or films, relative to it.
    """
    result = SplitLists()
    pairs: dict[Path, tuple[str, list[tuple[str, str]]]] = {}
    for file in sorted(files):
        suffix, split = file.suffix.lower(), read_name(file.stem).split
        if suffix == ".json" and split and (found := _pairs(file)):
            pairs[file] = (split, found)
        elif suffix == ".txt" and file.stem.lower().startswith(_CELEB_DF):
            _add_celeb_df(result, root, file, images)
    if pairs:
        _add_face_forensics(result, root, pairs, images)
    return result


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file.stat().st_size <= _MOST_BYTES else ""
    except OSError:
        return ""


def _pairs(file: Path) -> list[tuple[str, str]] | None:
    """The pairs of a list as in FaceForensics++; None if it is none."""
    try:
        told = json.loads(_text(file))
    except (ValueError, RecursionError):
        return None
    sound = isinstance(told, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(one, str) and _VIDEO.fullmatch(one) for one in pair)
        for pair in told
    )
    return [(one, other) for one, other in told] if sound else None


def _add_face_forensics(
    result: SplitLists, root: Path, pairs: Mapping[Path, tuple[str, list[tuple[str, str]]]], images: Sequence[str]
) -> None:
    split_of: dict[str, tuple[str, Path]] = {}
    twice: set[str] = set()
    for file, (split, found) in pairs.items():
        for video in (one for pair in found for one in pair):
            before = split_of.setdefault(video, (split, file))
            if before[0] != split:
                twice.add(video)
    rows: dict[Path, list[tuple[str, str]]] = {}
    parted: list[str] = []
    for path, mark in zip(images, marks([Name.of(path) for path in images]), strict=True):
        videos = [one for one in mark or () if one is not None]
        known = [split_of[video] for video in videos if video in split_of and video not in twice]
        if not known or len(known) < len(videos):
            continue
        if len({split for split, _ in known}) > 1:
            parted.append(path)
            continue
        rows.setdefault(known[0][1], []).append((path, known[0][0]))
    for file, some in rows.items():
        result.sheets.append(_sheet(root, file, some))
        result.files.append(file)
    if rows:
        result.files += [file for file in pairs if file not in rows]
    if twice:
        result.notes.append(
            f"The lists of splits name {counted(len(twice), 'video', 'videos')}, such as {min(twice)}, in several "
            "splits: what belongs to it has none by them."
        )
    if parted:
        result.notes.append(
            f"{counted(len(parted), f'{noun.one()} was', f'{noun.many()} were')} made of two videos that the lists put "
            f"into different splits, such as {parted[0]}: no split is taken from the lists for these."
        )


def _add_celeb_df(result: SplitLists, root: Path, file: Path, images: Sequence[str]) -> None:
    name, folder = storable(file.relative_to(root).as_posix()), storable(file.parent.relative_to(root).as_posix())
    by_video: dict[str, list[str]] = {}
    top: dict[str, str] = {}
    for path in images:
        within = path if folder == "." else path.removeprefix(f"{folder}/")
        if within == path and folder != ".":
            continue
        # A film itself, or the folder of its frames.
        for part in (str(PurePosixPath(within).with_suffix("")), *map(str, PurePosixPath(within).parents)):
            by_video.setdefault(part.lower(), []).append(path)
        top[path] = within.split("/")[0].lower()
    listed: dict[str, int] = {}
    lines = list(_lines(file))
    if any(video.suffix.lower() in PICTURES for _, video in lines):
        return  # Of another data set: Celeb-DF lists videos.
    for label, video in lines:
        for path in by_video.get(str(video.with_suffix("")), ()):
            listed[path] = label
    if not listed:
        return
    folders = {video.parts[0] for _, video in lines}
    rest = [path for path, first in top.items() if path not in listed and first in folders]
    result.sheets.append(_sheet(root, file, [*((path, TEST) for path in listed), *((path, TRAIN) for path in rest)]))
    result.files.append(file)
    result.told |= {path: (label, name) for path, label in listed.items()}
    videos = sum(str(video.with_suffix("")) in by_video for _, video in lines)
    result.notes.append(
        f"{name} names {counted(len(lines), 'video', 'videos')} for testing, of which {videos:,} are here; the others "
        "in its folders are for training."
    )


def _lines(file: Path) -> Iterator[tuple[int, PurePosixPath]]:
    """Label and path in small letters of each video in a list as in Celeb-DF; what is no line of one is passed over."""
    for line in _text(file).splitlines():
        if match := _LINE.fullmatch(line.strip()):
            video = PurePosixPath(match[2].replace("\\", "/").lower())
            if video.name and video.name != "..":
                yield REAL if match[1] == "1" else FAKE, video


def _sheet(root: Path, file: Path, rows: Sequence[tuple[str, str]]) -> Sheet:
    table = pd.DataFrame(rows, columns=["path", "split"]).astype("str")
    name = storable(file.relative_to(root).as_posix())
    return Sheet(name, table, {"path": "path", "split": "split"}, [Found((path,)) for path, _ in rows])
