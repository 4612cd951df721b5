"""Tables with pictures inside, as the Hugging Face Hub keeps them, written out as folders of image files.

Each picture has the very bytes that the table holds. Folders are named after splits, classes and, where a column tells
it, generators: SPLIT/CLASS/GENERATOR.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dfcore.errors import DfcoreError, ImageError, StorageError
from dfcore.hub.hugging_face import quiet
from dfcore.hub.pieces import Report
from dfcore.hub.unpack import LeftOut
from dfcore.imaging import decoder
from dfcore.imaging.formats import recognised
from dfcore.utils.extras import require
from dfcore.utils.files import make_folder, sha256_bytes, sha256_file
from dfcore.utils.texts import printable

SUFFIXES = (".parquet", ".arrow")
# Shards of a WebDataset, as faces-00012.tar; any other archive is unpacked as it is.
_SHARD = re.compile(r"(^|[-_])\d{4,}\.tar$")
_IMAGES = {"JPEG": ".jpg", "PNG": ".png", "GIF": ".gif", "WEBP": ".webp", "TIFF": ".tif", "AVIF": ".avif",
             "HEIF": ".heic", "BMP": ".bmp"}  # fmt: skip
_ALSO = {"JPEG": {".jpeg", ".jpe", ".jfif", ".mpo"}, "TIFF": {".tiff"}, "HEIF": {".heif"}}
_LABELS = re.compile(r"(?i)^(label|labels|class|class_?name|classes|target|category|is_?(fake|real|ai)|cls)(_?a)?$")
_GROUPS = re.compile(r"(?i)^(generator|generators|model|model_?name|method|manipulation|source)$")
_MOST_LEFT_OUT = 1000
# Splits of the library, and what a repository with a single one is.
_ONLY = "train"


def has_tables(folder: Path) -> bool:
    """Whether a folder has tables that may hold pictures, or shards of them."""
    files = (path.name.lower() for path in folder.rglob("*") if path.is_file())
    return any(name.endswith(SUFFIXES) or _SHARD.search(name) for name in files)


def lie_as_files(folder: Path) -> bool:
    """Whether the pictures lie as files, or in archives, beside the tables, by the first row of each split.

    The library takes a folder for one of picture files if most are; then it names each by its whole path.

    Raises:
        DfcoreError: If the tables hold no pictures or cannot be read.
    """
    with _datasets() as datasets:
        found = []
        for _, splits in _configurations(datasets, folder):
            for split, rows in splits.items():
                for _, given, data in _pictures(rows, _Columns.of(rows.features, split), datasets):
                    whole = Path(given.rpartition("::")[2]).is_absolute()
                    found.append(not data and whole and _named(folder, given) is not None)
                    break
        return bool(found) and all(found)


def write_out(folder: Path, out: Path, report: Report) -> tuple[LeftOut, int, list[str]]:
    """Writes the pictures of all tables in a folder to files; those that are there already stay.

    Args:
        folder: A snapshot of a repository.
        out: Where to.
        report: Called with (pictures done, pictures in all; 0 if not known); may raise to stop.

    Returns:
        What was left out, with reasons; the number of further pictures that were; and notes on how the tables were
        understood.

    Raises:
        DfcoreError: If the tables hold no pictures or cannot be read.
        StorageError: If the disk is full.
    """
    notes: list[str] = []
    written = _Written(folder)
    with _datasets() as datasets:
        configurations = _configurations(datasets, folder)
        done = 0
        for name, splits in configurations:
            total = sum(_rows(one) for one in splits.values()) if all(map(_rows, splits.values())) else 0
            for split, rows in splits.items():
                place = out / safe(name) if len(configurations) > 1 else out
                place = place if len(splits) == 1 and split == _ONLY else place / safe(split)
                columns = _Columns.of(rows.features, split)
                notes += [note for note in columns.notes if note not in notes]
                for number, found in enumerate(_pictures(rows, columns, datasets), 1):
                    written.add(found, place, (split, number))
                    done += 1
                    report(done, total)
            if len(splits) == 1:
                notes.append("There is one split only: splits are drawn when the data set is used.")
        if len(configurations) > 1:
            names = ", ".join(name for name, _ in configurations)
            notes.append(f"The repository has several configurations, each in a folder of its own: {names}.")
    if not written.places:
        why = f"The reason for the first: {written.left_out[0][1]}" if done else "They have no rows."
        raise DfcoreError(f"None of the {done:,} pictures of the tables could be written. {why}")
    return written.left_out, written.more, notes


class _Columns:
    """Which columns hold what."""

    def __init__(self, image: str, label: str | None, names: list[str] | None, group: str | None, split: str):
        self.image, self.label, self.names, self.group, self.split = image, label, names, group, split

    @classmethod
    def of(cls, features: Any, split: str) -> "_Columns":
        """Chooses them by type and name."""
        kinds = {name: type(feature).__name__ for name, feature in (features or {}).items()}
        images = [name for name, kind in kinds.items() if kind == "Image" or _is_picture(features[name])]
        if not images:
            listed = ", ".join(f"{printable(name)[:40]} ({_called(features[name])})" for name in kinds)
            raise DfcoreError(
                f"The tables hold no pictures: expected a column of images. Received: {listed or 'none'}."
            )
        image = min(images, key=lambda name: (name.lower() not in ("image", "img"), images.index(name)))
        classes = [name for name, kind in kinds.items() if kind == "ClassLabel"]
        label = next((name for name in classes if _LABELS.match(name)), None)
        label = label or next((name for name in kinds if _LABELS.match(name) and name not in images), None)
        label = label or (classes[0] if classes else None)
        group = next((name for name in kinds if _GROUPS.match(name) and name not in (label, *images)), None)
        names = list(features[label].names) if label in classes else None
        return cls(image, label, names, group, split)

    @property
    def notes(self) -> list[str]:
        """What was understood, as sentences."""
        classes = f"classes by {self.label}" if self.label else "no column tells classes"
        group = f", groups by {self.group}" if self.group else ""
        return [f"Pictures were taken from the column {self.image}, {classes}{group}."]

    def folder(self, row: dict[str, Any]) -> Path:
        """The folder of a row, below that of its split."""
        result = Path()
        if self.label is not None:
            result /= safe(self._class_of(row[self.label]))
        if self.group is not None:
            value = row[self.group]
            result /= safe(str(value) if value not in (None, "") else "unnamed")
        return result

    def _class_of(self, value: Any) -> str:
        if self.names is not None and isinstance(value, int):
            return self.names[value] if 0 <= value < len(self.names) else "unlabelled"
        if value is None or value == "":
            return "unlabelled"
        # What a bare number means is asked for by who reads the data set; it is not guessed here.
        return value if isinstance(value, str) else f"{self.label}_{value}"


def _is_picture(feature: Any) -> bool:
    """Whether a column holds bytes and name of a picture without saying that it is one."""
    kinds = {name: getattr(one, "dtype", "") for name, one in feature.items()} if isinstance(feature, dict) else {}
    return kinds == {"bytes": "binary", "path": "string"}


def _called(feature: Any) -> str:
    """The type of a column for people."""
    if isinstance(feature, dict):
        return f"a group of {', '.join(printable(name)[:40] for name in feature)}"
    kind = str(getattr(feature, "dtype", ""))
    return {"string": "text", "binary": "bytes"}.get(kind, "numbers" if kind else "lists")


def safe(name: str) -> str:
    """A name of a split, class or generator as the name of a folder."""
    return re.sub(r"[^\w .+()-]", "_", printable(name)).strip(" .")[:80] or "unnamed"


def _configurations(datasets: Any, folder: Path) -> list[tuple[str, Mapping[str, Any]]]:
    """(name, {split: rows}) of each configuration of a repository."""
    names = datasets.get_dataset_config_names(str(folder)) or ["default"]
    return [(name, datasets.load_dataset(str(folder), name, streaming=True)) for name in names]


def _pictures(rows: Any, columns: _Columns, datasets: Any) -> Iterator[tuple[Path, str, bytes | None]]:
    """(folder, name in the table, content if it is in there) of each row."""
    wanted = [name for name in (columns.image, columns.label, columns.group) if name is not None]
    rows = rows.select_columns(wanted).cast_column(columns.image, datasets.Image(decode=False))
    for row in rows:
        picture = row[columns.image] or {}
        yield columns.folder(row), str(picture.get("path") or ""), picture.get("bytes")


def _named(folder: Path, given: str) -> Path | None:
    """The file of a repository that a table names, or the archive in which that lies; None if it has none."""
    with suppress(OSError, ValueError):
        file = (folder / given.rpartition("::")[2]).resolve()
        if file.is_relative_to(folder.resolve()) and file.is_file():
            return file
    return None


class _Written:
    """What was written of a repository, and what was left out.

    Attributes:
        places: Files that were written.
        left_out: What was left out, with reasons; the first thousand.
        more: Number of further ones.
    """

    def __init__(self, folder: Path):
        self.places: set[Path] = set()
        self.left_out: LeftOut = []
        self.more = 0
        self._folder = folder

    def add(self, found: tuple[Path, str, bytes | None], place: Path, row: tuple[str, int]) -> None:
        """Writes a picture, or says why not.

        Args:
            found: Its folder, its name and its content, see `_pictures`.
            place: The folder of its split.
            row: Its split and its number there, from 1.
        """
        (folder, given, data), (split, number) = found, row
        try:
            data = data or self._content(given)
            kind = recognised(data)
        except ImageError as error:
            if len(self.left_out) < _MOST_LEFT_OUT:
                self.left_out.append((f"{split}, row {number} {printable(given)[-80:]}".strip(), str(error)))
            else:
                self.more += 1
            return
        stem = re.sub(r"[^\w .+()-]", "_", Path(given.replace("\\", "/")).stem)[:120].strip(" .")
        suffix = Path(given).suffix.lower()
        suffix = suffix if suffix in _ALSO.get(kind, ()) else _IMAGES[kind]
        base = place / folder
        make_folder(base)
        # The same names when it is all written again; names of frames and faces tell what belongs together.
        path = base / (f"{stem}{suffix}" if stem else f"{number - 1:07d}{suffix}")
        path = path.with_name(f"{path.stem}.{number - 1}{suffix}") if path in self.places else path
        self.places.add(path)
        if path.is_file() and path.stat().st_size == len(data) and sha256_file(path) == sha256_bytes(data):
            return
        aside = base / f".{number}.unpacking"
        aside.write_bytes(data)
        aside.replace(path)

    def _content(self, given: str) -> bytes:
        """Content of a picture that a table only names."""
        file = _named(self._folder, given)
        if file is None:
            raise ImageError("The table holds no bytes of it, only its name or address.")
        return decoder.read_bytes(file)


def _rows(rows: Any) -> int:
    """Number of rows of a split; 0 if not known."""
    try:
        return int(rows.info.splits[rows.split].num_examples)
    except (AttributeError, KeyError, TypeError, ValueError):
        return 0


@contextmanager
def _datasets() -> Iterator[Any]:
    """The library, without network, telemetry, bars and code of strangers; its errors in the workbench's words."""
    require("datasets", "hub", "Reading tables of the Hugging Face Hub")
    quiet()
    import datasets
    from datasets.utils.logging import disable_progress_bar, set_verbosity_error

    disable_progress_bar()
    set_verbosity_error()
    try:
        yield datasets
    except (DfcoreError, StorageError):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise DfcoreError(f"The tables cannot be read ({printable(error)[:200]}).") from error
    except (ValueError, TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        raise DfcoreError(f"The tables cannot be read ({type(error).__name__}: {printable(error)[:200]}).") from error
