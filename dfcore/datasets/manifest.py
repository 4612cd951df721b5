"""Data sets that are described by a table: CSV or Parquet with path, label, and maybe split and group."""

from pathlib import Path, PurePosixPath

import pandas as pd

from dfcore.datasets.layouts import Place, parse_label, parse_split
from dfcore.errors import LayoutError

NAMES = ("manifest.csv", "manifest.parquet")
_SUFFIXES = (".csv", ".parquet")


def find_manifest(root: Path) -> Path | None:
    """The manifest that `root` is or holds, or None."""
    if root.is_file():
        if root.suffix.lower() in _SUFFIXES:
            return root
        raise LayoutError(f"Expected a folder or a .csv or .parquet manifest. Received: the file {root.name}.")
    return next((root / name for name in NAMES if (root / name).is_file()), None)


def read_manifest(manifest: Path) -> tuple[Path, list[str], list[Place], list[str | None]]:
    """Reads a manifest.

    Returns:
        The folder that paths are relative to, and for each row its path, its place, and the reason
        why it cannot be used, or None.

    Raises:
        LayoutError: when it cannot be read or lacks the columns path and label.
    """
    table = _read(manifest)
    table.columns = [str(name).strip().lower() for name in table.columns]
    missing = [name for name in ("path", "label") if name not in table.columns]
    if missing:
        raise LayoutError(
            f"{manifest.name}: expected the columns path and label (split and group if wanted). "
            f"Received: {', '.join(map(str, table.columns)) or 'no columns'}."
        )
    folder = manifest.parent.resolve()
    paths, places, reasons = [], [], []
    for row in table.to_dict("records"):
        path = str(row["path"]).replace("\\", "/")
        place, reason = _place(folder, path, row)
        paths.append(path)
        places.append(place)
        reasons.append(reason)
    return folder, paths, places, reasons


def _read(manifest: Path) -> pd.DataFrame:
    try:
        if manifest.suffix.lower() == ".parquet":
            import pyarrow as pa
            from pyarrow import parquet

            stored = parquet.read_table(manifest)
            stored.validate(full=True)
            # As text, like the cells of a CSV; what has no such form (lists, dates out of range) is refused here.
            columns = [column.cast(pa.string()).fill_null("").to_pylist() for column in stored.columns]
            return pd.DataFrame(dict(enumerate(columns))).set_axis(stored.column_names, axis=1)
        return pd.read_csv(manifest, dtype=str, keep_default_na=False)
    except Exception as error:  # pandas and pyarrow raise all sorts on damaged files.
        raise LayoutError(f"{manifest.name} cannot be read as a table: {error}") from error


def _place(folder: Path, path: str, row: dict) -> tuple[Place, str | None]:
    label = parse_label(row["label"])
    text = {name: str(row.get(name) or "").strip() for name in ("split", "group")}
    split = parse_split(text["split"]) if text["split"] else None
    place = Place(label, split, text["group"] or None)
    try:
        inside = (folder / PurePosixPath(path)).resolve().is_relative_to(folder)
    except (OSError, RuntimeError, ValueError):  # Links in a circle, a zero byte in the name.
        return place, "The path leads nowhere."
    if not inside:
        return place, "The path leads out of the manifest's folder."
    if label is None:
        return place, f"Expected the label real, fake, 0 or 1. Received: {row['label']!r}."
    if text["split"] and split is None:
        return place, f"Expected the split train, validation or test. Received: {text['split']!r}."
    return place, None
