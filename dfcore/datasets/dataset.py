"""The data set that a scan found: a table of its images, and what was understood of it."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from dfcore.datasets.layouts import SPLITS
from dfcore.datasets.reading import Reading
from dfcore.labels import NAMES
from dfcore.utils.files import sha256_bytes

COLUMNS = (
    "path", "label", "split", "group", "source_id", "width", "height", "format", "quality", "bytes", "sha256",
    "pixels_sha256", "film", "error",
)  # fmt: skip


@dataclass(frozen=True)
class LeftOut:
    """Something under the root that is not part of the table.

    Attributes:
        path: Path relative to the root; for several files a folder and a pattern.
        reason: Why it was left out, as a sentence.
        files: Number of files; 1 for a folder or link that leads to an unknown number.
        missed: Whether a picture may be missed because of it.
    """

    path: str
    reason: str
    files: int = 1
    missed: bool = True


@dataclass(frozen=True)
class FolderReading:
    """What was understood of one folder.

    Attributes:
        folder: Path relative to the root.
        label: 0 real, 1 fake, or None.
        split: "train", "validation", "test", "unlabelled", or None if it is to be drawn.
        group: Generator, subject or source, or None.
        images: Number of its images.
        samples: Up to three paths, relative to the root.
    """

    folder: str
    label: int | None
    split: str | None
    group: str | None
    images: int
    samples: tuple[str, ...] = ()


def _fingerprint(rows: pd.DataFrame) -> str:
    lines = rows[["sha256", "label", "split"]].astype(object).map(str).agg(" ".join, axis=1)
    return sha256_bytes("\n".join(sorted(lines)).encode())


@dataclass(frozen=True)
class Dataset:
    """What `scan` found.

    Attributes:
        root: the folder that `table.path` is relative to.
        layout: the layout in words.
        table: one row an image, columns `COLUMNS`: label 0 real, 1 fake or missing; split "train",
            "validation", "test", "unlabelled" or missing where a split is still to be drawn; group
            where the folders tell a generator or source; source_id what the image was taken from (a
            video, a picture, a person): images that share it never part; width and height in pixels as displayed;
            quality the estimated JPEG quality, missing for other formats; film what a table names as the film of a
            frame, else missing;
            error is the reason why a row cannot be used, or missing.
        notes: things about the whole that a person should know.
        demonstration: whether the folder says that it is a demonstration data set.
        self_made: what is to be said of fakes that this workbench made of real pictures; empty if there are none.
        left_out: what lies under the root and is not in the table.
        doubts: things that a person should look at before the data are used, one sentence each.
        tree: what was understood, folder by folder.
        reading: what a user has said of it.
    """

    root: Path
    layout: str
    table: pd.DataFrame
    notes: tuple[str, ...] = field(default_factory=tuple)
    demonstration: bool = False
    self_made: str = ""
    left_out: tuple[LeftOut, ...] = ()
    doubts: tuple[str, ...] = ()
    tree: tuple[FolderReading, ...] = ()
    reading: Reading = field(default_factory=Reading)

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.root.name

    @property
    def usable(self) -> pd.DataFrame:
        """The rows that can be trained on or measured: labelled and readable."""
        return self.table[self.table.label.notna() & self.table.error.isna()]

    @property
    def unreadable(self) -> pd.DataFrame:
        """The rows that cannot be used, each with its reason."""
        return self.table[self.table.error.notna()]

    @property
    def fingerprint(self) -> str:
        """A hash over content, label and split of the usable rows; the order of files does not matter."""
        return _fingerprint(self.usable)

    @property
    def labelled_fingerprint(self) -> str:
        """Like `fingerprint`, over all labelled rows: images that are taken out of use do not change it."""
        return _fingerprint(self.table[self.table.label.notna()])

    def counts(self) -> pd.DataFrame:
        """Number of usable images by split (rows) and class (columns "real", "fake")."""
        split = self.usable.split.fillna("not yet split")
        label = self.usable.label.map(lambda value: NAMES[int(value)])
        table = pd.crosstab(split, label)
        order = [name for name in (*SPLITS, "not yet split") if name in table.index]
        table = table.reindex(index=order, columns=list(NAMES), fill_value=0)
        return table.rename_axis(index="split", columns=None)

    def with_table(self, table: pd.DataFrame) -> "Dataset":
        """The same data set with another table."""
        return replace(self, table=table)
