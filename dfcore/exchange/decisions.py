"""What analysts decided, as a labelled data set for the next training."""

import csv
import io
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from dfcore.cases.store import Store
from dfcore.cases.values import Query, Row
from dfcore.datasets.aside import Aside
from dfcore.errors import DfcoreError, InputError, StorageError
from dfcore.imaging import SUFFIXES
from dfcore.imaging.formats import recognised
from dfcore.labels import NAMES
from dfcore.utils.files import explained, make_folder, sha256_bytes, write_bytes, write_text

MANIFEST = "manifest.csv"
_SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "HEIF": ".heic"}


@dataclass(frozen=True)
class Missing:
    """A picture that was decided on and is not in the data set, with the reason."""

    sha256: str
    name: str
    decided: str
    reason: str


@dataclass(frozen=True)
class Exported:
    """A data set of decisions.

    Attributes:
        folder: Where it is.
        real, fake: Numbers of its pictures.
        missing: Pictures that are not in it.
        listed: The table of those, beside the folder; None if none is missing.
    """

    folder: Path
    real: int
    fake: int
    missing: tuple[Missing, ...]
    listed: Path | None


def export(
    store: Store, out: str | Path, *, case: int | None = None, pictures: Callable[[str], Path | None] = lambda _: None
) -> Exported:
    """Writes the pictures that were decided to be real or fake, by class, with a table that says what is known.

    Pictures of one case have one source, so that they never part between training and test; so have those of cases that
    share a picture.

    Args:
        store: Where the decisions are.
        out: A new or empty folder.
        case: Only pictures filed in this case.
        pictures: Gives the file of a picture by its SHA-256 where it is not kept; None if there is none.

    Raises:
        InputError: If nothing was decided, no decided picture is at hand, or the folder holds something.
        StorageError: If it cannot be written.
    """
    rows = [row for label in NAMES for row in store.search(Query(decided=label, case=case), limit=None).rows]
    if not rows:
        raise InputError("Expected pictures that were decided to be real or fake. Received: none.")
    sources = _sources(rows)
    plan = {"decisions": [(row.picture.sha256, row.decision.decided) for row in rows if row.decision]}
    aside = Aside.begin(
        store.folder, out, plan, made="data set of decisions", of="folder of kept pictures", doing="exporting"
    )
    table, missing = [], list[Missing]()
    for row in rows:
        assert row.decision is not None  # The query asked for it.
        sha256, label = row.picture.sha256, row.decision.decided
        try:
            data = _data(store, sha256, pictures)
            path = f"{label}/{sha256[:24]}{_suffix(row.picture.name, data)}"
            write_bytes(aside.folder / path, data)
            table.append((path, label, sources[sha256]))
        except DfcoreError as error:
            missing.append(Missing(sha256, row.picture.name, label, str(error)))
    if not table:
        shutil.rmtree(aside.folder, ignore_errors=True)
        raise InputError(
            f"None of the {len(missing):,} pictures that were decided on was kept or found. Name the folders where "
            "they are with --pictures."
        )
    write_text(aside.folder / MANIFEST, _csv([("path", "label", "source_id"), *table]))
    listed = _list(Path(aside.out), missing)
    counts = [sum(label == name for _, label, _ in table) for name in NAMES]
    return Exported(aside.finish(), counts[0], counts[1], tuple(missing), listed)


def _data(store: Store, sha256: str, pictures: Callable[[str], Path | None]) -> bytes:
    data = store.image(sha256)
    if data is not None:
        return data
    path = pictures(sha256)
    if path is None:
        raise InputError("The picture was not kept.")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {explained(error, path)}.") from error
    if sha256_bytes(data) != sha256:
        raise StorageError(f"{path} changed while it was read.")
    return data


def _suffix(name: str, data: bytes) -> str:
    """The suffix of the format that the content has; that of the name where it is one of that format."""
    kind = recognised(data)
    given = PurePath(name).suffix.lower()
    return given if given in SUFFIXES else _SUFFIX.get(kind, f".{kind.lower()}")


def _sources(rows: Sequence[Row]) -> dict[str, str]:
    """A source for each picture: its cases, and all that are tied to them by a picture; its own where it is in none."""
    leads: dict[int, int] = {}

    def first(case: int) -> int:
        while leads.setdefault(case, case) != case:
            case = leads[case]
        return case

    for row in rows:
        for one in row.cases[1:]:
            low, high = sorted((first(row.cases[0].id), first(one.id)))
            leads[high] = low
    return {
        row.picture.sha256: f"case-{first(row.cases[0].id)}" if row.cases else f"picture-{row.picture.sha256[:24]}"
        for row in rows
    }


def _list(out: Path, missing: Sequence[Missing]) -> Path | None:
    """Writes the table of what is missing beside the data set; removes one of an earlier time if nothing is."""
    beside = out.with_name(f"{out.name}.missing.csv")
    if not missing:
        beside.unlink(missing_ok=True)
        return None
    make_folder(beside.parent)
    rows = ((one.sha256, _plain(one.name), one.decided, _plain(one.reason)) for one in missing)
    write_text(beside, _csv([("sha256", "name", "decided", "reason"), *rows]))
    return beside


def _plain(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
