"""Shortcut probe: can the classes be told apart by facts of their files alone, without looking at the pictures?

A network learns such facts first (sizes after resizing, traces of JPEG qualities), scores near 1 on its own data, and
fails on others.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from dfcore.audit.facts import Facts, table_of
from dfcore.audit.finding import Finding, Severity
from dfcore.audit.probe import LEAST, Auc, boosting, cross_validate, enough
from dfcore.labels import NAMES

KIND = "shortcuts"
# Facts that depend on what a picture shows too, once all files are coded alike.
_PICTURE_FAMILIES = ("bytes per pixel", "blockiness")
# From this AUC on, blockiness is that of an earlier JPEG coding.
_EARLIER_CODING = 0.75
_FINE = "The facts of files (format, size, coding, metadata) do not tell the classes apart."
_MEANING = (
    "A detector can tell the classes by how their files were made instead of by what a generator leaves in a picture. "
    "It then scores well on this data set, its test split included, and fails on images from elsewhere."
)
_ADVICE = "Make a neutralised copy, in which both classes go through the same crop, resize and coding; train on that."


def severity_of(auc: Auc) -> Severity:
    """How bad it is that a probe reaches an AUC: by its size and by its interval's lower end."""
    if auc.value >= 0.8 and auc.low > 0.65:
        return "high"
    if auc.value >= 0.65 and auc.low > 0.55:
        return "medium"
    return "low" if auc.value >= 0.58 and auc.low > 0.52 else "ok"


def telling_images(paths: Sequence[str], labels: np.ndarray, scores: np.ndarray, most: int = 24) -> tuple[str, ...]:
    """The images that a probe tells best, a real and a fake one by turns."""
    best = [np.flatnonzero(labels == label) for label in (0, 1)]
    best = [
        part[np.argsort(sign * scores[part], kind="stable")][: most // 2]
        for part, sign in zip(best, (1, -1), strict=True)
    ]
    return tuple(paths[number] for pair in zip(*best, strict=False) for number in pair)


def find(
    files: pd.DataFrame, words: Sequence[frozenset[str]], labels: np.ndarray, groups: np.ndarray, seed: int
) -> Finding:
    """Runs the probe.

    Args:
        files: Facts, see `facts.table_of`, and the column path.
        words: Further facts of each file, see there.
        labels: 0 real, 1 fake, (N,).
        groups: Numbers of groups of images that belong together, (N,).
        seed: Seed of folds.
    """
    if not enough(labels, groups):
        return cannot_say(KIND, "Whether facts of files tell the classes apart cannot be said", labels)
    facts = table_of(files, words)
    if facts.constant():
        return Finding(
            kind=KIND, severity="ok", title=_FINE, meaning="All files agree in every fact.", figures={"auc": 0.5}
        )
    auc = cross_validate(facts.values, labels, groups, boosting(seed), seed=seed)
    finding = _finding(auc, facts, files, labels, groups, seed)
    shown = () if finding.severity == "ok" else telling_images(files.path.tolist(), labels, auc.scores)
    return finding.model_copy(update={"images": shown})


def cannot_say(kind: str, title: str, labels: np.ndarray) -> Finding:
    """A finding that too few images allow no statement."""
    counts = [int((labels == label).sum()) for label in (0, 1)]
    text = f"{title}: there are too few images."
    meaning = f"Expected {LEAST} unrelated images of each class. Received: {counts[0]} real, {counts[1]} fake."
    return Finding(kind=kind, severity="ok", title=text, meaning=meaning)


def _finding(auc: Auc, facts: Facts, files: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, seed: int) -> Finding:
    alone = dict(_alone(facts, labels, groups, seed))
    figures = {"auc": auc.value, "auc_low": auc.low, "auc_high": auc.high}
    figures |= {f"auc of {family}": value.value for family, value in alone.items()}
    telling = sorted((family for family in alone if alone[family].low > 0.5), key=lambda family: -alone[family].value)
    details = [f"{family}: AUC {alone[family]}. {_by_class(family, facts, files, labels)}" for family in telling]
    severity = severity_of(auc)
    if severity == "ok":
        note = "" if auc.low <= 0.5 else " The excess is too small to matter."
        if auc.high < 0.5:
            note = " It is below 0.5 by chance: cross-validated figures of small sets scatter to both sides."
        meaning = f"A classifier that sees only such facts reaches an AUC of {auc}; 0.5 is guessing.{note}"
        return Finding(kind=KIND, severity="ok", title=_FINE, meaning=meaning, figures=figures)
    much = "" if severity != "low" else " a little"
    title = f"The classes can be told apart{much} without looking at the pictures: AUC {auc}"
    if telling:
        title += f", by {', '.join(telling[:3])}"
    meaning, advice = _MEANING, _ADVICE
    if _coded_alike(facts) and ("blockiness" not in alone or alone["blockiness"].value < _EARLIER_CODING):
        severity = "medium" if severity == "high" else severity
        title = f"The files of one class are easier to compress: AUC {auc}"
        meaning = (
            "Size, format and coding are the same for all files, so this is about the pictures: one class is smoother "
            "or has less detail, by its subjects, its focus or its earlier processing. A detector may learn that."
        )
        advice = "Compare the pictures of both classes by eye; take sources with like subjects and like processing."
    return Finding(
        kind=KIND, severity=severity, title=title + ".", meaning=meaning, advice=advice, count=len(labels),
        figures=figures, details=tuple(details),
    )  # fmt: skip


def _coded_alike(facts: Facts) -> bool:
    """Whether all facts but those that depend on the picture are the same for all files."""
    rest = [
        column for family, columns in facts.families.items() if family not in _PICTURE_FAMILIES for column in columns
    ]
    return bool((facts.values[:, rest] == facts.values[:1, rest]).all())


def _alone(facts: Facts, labels: np.ndarray, groups: np.ndarray, seed: int) -> Iterator[tuple[str, Auc]]:
    """The AUC that each family of facts reaches by itself; families that never differ are left out."""
    for family in facts.families:
        values = facts.of(family)
        if values.shape[1] and (values != values[:1]).any():
            yield family, cross_validate(values, labels, groups, boosting(seed), seed=seed, repeats=1)


def _by_class(family: str, facts: Facts, files: pd.DataFrame, labels: np.ndarray) -> str:
    """What a family is like in each class, e.g. "real: JPEG 100%; fake: PNG 98%, JPEG 2%."."""
    return "; ".join(f"{NAMES[label]}: {_typical(family, facts, files, labels == label)}" for label in (0, 1)) + "."


def _typical(family: str, facts: Facts, files: pd.DataFrame, of_class: np.ndarray) -> str:
    part = files[of_class]
    if family in ("format", "mode", "subsampling"):
        shares = part[family].fillna("").replace("", "none").value_counts(normalize=True)
        return ", ".join(f"{name} {share:.0%}" for name, share in shares.head(3).items())
    if family == "size":
        shares = part.groupby(["width", "height"]).size().sort_values(ascending=False) / len(part)
        (width, height), share = shares.index[0], shares.iloc[0]
        middle = f"median {part.width.median():.0f} x {part.height.median():.0f} px"
        return f"{width} x {height} px {share:.0%}" if share > 0.5 else middle
    if family in ("metadata and coding", "multiples of 8 and 64"):
        return _words(family, facts, of_class)
    if family == "JPEG quality":
        known = part.quality.dropna()
        return f"median {known.median():.0f} of {len(known)} JPEGs" if len(known) else "no JPEG"
    values = facts.of(family)[of_class, 0]
    return f"median {np.median(values):.3g}"


def _words(family: str, facts: Facts, of_class: np.ndarray) -> str:
    columns = facts.families[family]
    own, other = (facts.values[mask][:, columns].mean(axis=0) for mask in (of_class, ~of_class))
    best = np.argsort(-np.abs(own - other), kind="stable")[:4]
    return ", ".join(f"{facts.names[columns[k]]} {own[k]:.0%}" for k in best)
