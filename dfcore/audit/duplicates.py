"""Copies and near-duplicates: within and across splits and classes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dfcore.audit.evidence import Evidence
from dfcore.audit.finding import MOST_SHOWN, Finding, Severity
from dfcore.datasets import SPLITS, TRAIN
from dfcore.datasets.copies import SAME_PIXELS
from dfcore.datasets.near_duplicates import clusters
from dfcore.datasets.self_made import marked
from dfcore.datasets.units import units
from dfcore.labels import NAMES

LEAK_MEANING = (
    "A detector is tested on images that it was trained on. Its figures on those splits are too good by an amount "
    "that nobody knows."
)
_ORDER = {name: number for number, name in enumerate(SPLITS)}


def find(evidence: Evidence) -> Iterator[Finding]:
    """Finds equal and near-equal images, and says where they stand."""
    same = evidence.pairs.kind == SAME_PIXELS
    yield from _findings(evidence.rows, evidence.pairs[same], "copies", "exact copies")
    near = evidence.pairs[~same]
    made = marked(evidence.dataset.root, evidence.rows).to_numpy(bool)
    yield from _findings(evidence.rows, near, "near-duplicates", "near-duplicates", made)
    if evidence.rows.source_id.notna().any() and evidence.rows.split.notna().any():
        yield _sources(evidence.rows)


def _sources(rows: pd.DataFrame) -> Finding:
    """Sources (videos, people, pictures) whose images stand in several splits."""
    copies = rows.source_id.str.startswith("copies of ", na=False)  # Told as near-duplicates.
    known = rows[rows.source_id.notna() & rows.split.notna() & ~copies]
    parted = known[known.groupby("source_id").split.transform("nunique") > 1]
    if parted.empty:
        return _passed("sources", "No source has images in more than one split.")
    held = rows.split.notna() & (rows.split != TRAIN)
    share = float((parted.split != TRAIN).sum() / max(held.sum(), 1))
    firsts = parted.drop_duplicates(["source_id", "split"]).groupby("source_id").path.agg(["first", "last"])
    return Finding(
        kind="sources", severity="high" if share >= 0.01 else "medium",
        title=f"{parted.source_id.nunique():,} sources have images in more than one split.",
        meaning=f"What was taken from one video, person or picture is alike. {LEAK_MEANING}", count=len(firsts),
        advice="Divide by source: move all images of a source into one split, or leave the splits to be drawn.",
        images=tuple(parted.path.head(MOST_SHOWN)), figures={"share of held-out images": share},
        pairs=tuple(firsts.head(MOST_SHOWN).itertuples(index=False, name=None)),
        details=tuple(f"{name}: {', '.join(sorted(set(part.split)))}." for name, part in
                      parted[parted.source_id.isin(firsts.index[:10])].groupby("source_id")),
    )  # fmt: skip


def _findings(
    rows: pd.DataFrame, pairs: pd.DataFrame, kind: str, words: str, made: np.ndarray | None = None
) -> Iterator[Finding]:
    """Findings on pairs; those of a self-made fake (`made`, bool for each row) and a real image are meant."""
    label, split = rows.label.to_numpy(int), rows.split.fillna("").to_numpy(str)
    i, j = pairs.i.to_numpy(int), pairs.j.to_numpy(int)
    classes = label[i] != label[j]
    leaks = (split[i] != split[j]) & (split[i] != "") & (split[j] != "")
    meant = classes & (made[i] | made[j]) if made is not None else np.zeros(len(pairs), bool)
    yield _across_classes(rows, pairs[classes & ~meant], kind, words, int(meant.sum()))
    yield _across_splits(rows, pairs[leaks], kind, words)
    yield _within(rows, pairs[~classes & ~leaks], kind, words)


def _across_classes(rows: pd.DataFrame, pairs: pd.DataFrame, kind: str, words: str, meant: int) -> Finding:
    kind, exact = f"{kind} across classes", kind == "copies"
    if pairs.empty and meant:
        return _passed(kind, f"No {words} stand in both classes but {meant:,} pairs with self-made fakes, as is meant.")
    if pairs.empty:
        return _passed(kind, f"No {words} stand in both classes.")
    meaning = "The same picture is called real and fake, so one of the two labels is wrong."
    advice = "Look at each pair and correct the labels, or take these images out."
    severity: Severity = "high"
    if not exact:
        severity = "medium"
        meaning = (
            "Nearly the same picture is called real and fake. Either a label is wrong, or the fake was made from the "
            "real image. In the second case they must not part between training and test."
        )
        advice = "Look at the pairs. Take those with wrong labels out; keep true pairs together between splits."
    return _found(
        rows, pairs, kind, severity, f"{_many(pairs)} of {words} {_stand(pairs)} in both classes.", meaning, advice,
        exclude=tuple(_hashes(rows, pairs)) if exact else (), together=_together(rows, pairs) if not exact else (),
    )  # fmt: skip


def _across_splits(rows: pd.DataFrame, pairs: pd.DataFrame, kind: str, words: str) -> Finding:
    kind, exact = f"{kind} across splits", kind == "copies"
    if pairs.empty:
        title = f"No {words} stand in more than one split."
        return _passed(kind, title if rows.split.notna().any() else f"{title} The splits are still to be drawn.")
    order = rows.split.map(_ORDER).fillna(len(_ORDER)).to_numpy(int)
    swap = order[pairs.i] > order[pairs.j]
    pairs = pairs.assign(i=np.where(swap, pairs.j, pairs.i), j=np.where(swap, pairs.i, pairs.j))
    held = rows.split.notna() & (rows.split != TRAIN)
    concerned = np.unique(np.concatenate([pairs.i, pairs.j]))
    share = float(held.iloc[concerned].sum() / max(held.sum(), 1))
    both = pd.Series(rows.split.iloc[pairs.i].to_numpy() + " and " + rows.split.iloc[pairs.j].to_numpy())
    named = ", ".join(f"{count:,} between {names}" for names, count in both.value_counts().items())
    return _found(
        rows, pairs, kind, "high" if share >= 0.01 else "medium",
        f"{_many(pairs)} of {words} {_stand(pairs)} in two splits ({named}).",
        f"{LEAK_MEANING} {share:.1%} of the images held out for validation and test are concerned.",
        f"Take {'these images' if exact else 'those of the earlier split'} out of the index; no file is touched.",
        exclude=tuple(sorted(set(rows.pixels_sha256.iloc[pairs.i]))), figures={"share of held-out images": share},
    )  # fmt: skip


def _within(rows: pd.DataFrame, pairs: pd.DataFrame, kind: str, words: str) -> Finding:
    if pairs.empty:
        return _passed(kind, f"There are no {words} within a split and class.")
    concerned = np.unique(np.concatenate([pairs.i, pairs.j]))
    share = len(concerned) / len(rows)
    open_splits = bool(rows.split.iloc[concerned].isna().any())
    meaning = f"They count more than once: {share:.1%} of the images are concerned."
    advice = "Nothing must be done; surplus files may be removed."
    severity: Severity = "medium" if share > 0.1 else "low"
    unit = units(rows).to_numpy()
    together = _together(rows, pairs) if open_splits and (unit[pairs.i] != unit[pairs.j]).any() else ()
    if open_splits and not together:
        meaning += " When splits are drawn, they are kept together."
    elif open_splits:
        severity = "medium" if share > 0.01 else "low"
        meaning += " The splits are still to be drawn, and could part them between training and test."
        advice = "Keep them together: they are then always drawn into the same split and fold."
    return _found(
        rows, pairs, kind, severity,
        f"{_many(pairs)} of {words} {_stand(pairs)} within one split and class.", meaning, advice,
        together=together, figures={"share of images": share},
    )  # fmt: skip


def _found(
    rows: pd.DataFrame,
    pairs: pd.DataFrame,
    kind: str,
    severity: Severity,
    title: str,
    meaning: str,
    advice: str,
    **more: Any,
) -> Finding:
    shown = pairs.head(MOST_SHOWN)
    names = tuple(zip(rows.path.iloc[shown.i], rows.path.iloc[shown.j], strict=True))
    details = []
    if (pairs.kind != SAME_PIXELS).any():
        details.append(", ".join(f"{count} {name}" for name, count in pairs.kind.value_counts().items()) + ".")
    labels = rows.label.iloc[np.unique(np.concatenate([pairs.i, pairs.j]))]
    details.append(", ".join(f"{int((labels == k).sum())} {name}" for k, name in enumerate(NAMES)) + " images.")
    return Finding(
        kind=kind, severity=severity, title=title, meaning=meaning, advice=advice, count=len(pairs),
        images=tuple(dict.fromkeys(path for pair in names for path in pair))[:MOST_SHOWN], pairs=names,
        details=tuple(details), **more,
    )  # fmt: skip


def _passed(kind: str, title: str) -> Finding:
    return Finding(kind=kind, severity="ok", title=title, meaning="This check was passed.")


def _many(pairs: pd.DataFrame) -> str:
    return f"{len(pairs):,} pair{'' if len(pairs) == 1 else 's'}"


def _stand(pairs: pd.DataFrame) -> str:
    return "stands" if len(pairs) == 1 else "stand"


def _hashes(rows: pd.DataFrame, pairs: pd.DataFrame) -> list[str]:
    return sorted({*rows.pixels_sha256.iloc[pairs.i], *rows.pixels_sha256.iloc[pairs.j]})


def _together(rows: pd.DataFrame, pairs: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Groups of pixel hashes that hang together by pairs."""
    concerned = np.unique(np.concatenate([pairs.i, pairs.j]))
    places = {name: np.searchsorted(concerned, pairs[name]) for name in ("i", "j")}
    numbers = clusters(pd.DataFrame(places), len(concerned))
    hashes = rows.pixels_sha256.iloc[concerned]
    return tuple(tuple(sorted(set(part))) for _, part in hashes.groupby(numbers))
