"""Whether heads on CLIP tell faces and small images better than the shipped detectors do.

Run from the project's root: `python -m benchmarks.on_tower > benchmarks/results/on_tower.txt`.

Faces: heads learned from `faces/train` alone, with blocks and penalty chosen by cross-validation within it, from images
as they are and with a handled copy of each; then, once, their figures on `faces/valid`, `faces_stylegan2` and faces cut
out of `modern/street_people`, beside those of the shipped detector and of the mean of both. Small images:
cross-validation on CIFAKE, where each fold's settings and calibration are chosen by the other folds. Features are
computed in bfloat16, which takes half the time, and kept: 8,000 views, half an hour.
"""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from benchmarks.faces_handled import BATCH, HANDLINGS, Case, cut_out, judged, pictures
from benchmarks.presets import honest_report
from dfcore import workspace
from dfcore.confidence import fit_calibration, is_fake
from dfcore.datasets import TRAIN, scan
from dfcore.datasets.pixel_store import opened
from dfcore.detectors.detector import Detector
from dfcore.engines.tower_engine import shared_tower
from dfcore.evaluation import read_predictions
from dfcore.evaluation.paired import compare
from dfcore.imaging import PreprocessSpec, decoder, sandbox
from dfcore.imaging.handling import get
from dfcore.towers import clip
from dfcore.towers.graph import WIDTH
from dfcore.training import frozen
from dfcore.training.folds import fold_numbers
from dfcore.training.head import FURTHER_SHARE, HANDLED_SHARE
from dfcore.training.logistic import Part, fit
from dfcore.utils.files import sha256_bytes

WHOLE, NATIVE = PreprocessSpec(clip.SIDE, "fit_crop"), PreprocessSpec(clip.SIDE, "native_crop")
# First and last block whose class tokens are learned from, and the inverse of the penalty.
BLOCKS = ((4, 8), (1, 12), (7, 12), (12, 12))
STRENGTHS = (2.4e-3, 2.4e-2, 2.4e-1)
FOLDS = 5
EVERY = 10**6
Setting = tuple[tuple[int, int], float]
SETTINGS: list[Setting] = list(product(BLOCKS, STRENGTHS))
# Kernel (9216,) and bias.
Head = tuple[np.ndarray, float]


class Features:
    """Class tokens of squares, computed once and kept."""

    def __init__(self) -> None:
        name = f"{clip.NAME}-{clip.SHA256[:8]}-bfloat16-squares"
        self._store, self._use = opened(workspace.cache_dir(), name, (WIDTH,), np.float16)

    def __call__(self, squares: Iterable[np.ndarray]) -> np.ndarray:
        """Features of squares, uint8 (224, 224, 3): float16 (N, 9216)."""
        keys, rest = list[str](), iter(squares)
        while some := list(islice(rest, 32)):
            keys += (named := [sha256_bytes(square.tobytes()) for square in some])
            known = self._store.index()
            new = {key: square for key, square in zip(named, some, strict=True) if key not in known}
            if new:
                found = shared_tower("bfloat16").features(np.stack(list(new.values())))
                self._store.append(list(zip(new, found.astype(np.float16), strict=True)))
        known = self._store.index()
        return np.array(self._store.open(len(known), self._store.begin_use())[[known[key] for key in keys]])


def training(root: Path, most: int) -> pd.DataFrame:
    """Training images of a data set, at most so many a class, with a column `fold`."""
    rows = scan(root).usable
    rows = rows[rows.split.isna() | (rows.split == TRAIN)]
    rows = rows.sample(frac=1, random_state=0).groupby("label").head(most).sort_index().reset_index(drop=True)
    return rows.assign(fold=fold_numbers(rows, FOLDS, "content", 0))


def shown(root: Path, rows: pd.DataFrame, form: frozen.Variant, spec: PreprocessSpec) -> Iterator[np.ndarray]:
    for row in rows.itertuples():
        rgb = sandbox.decode(decoder.read_bytes(root / row.path))
        yield spec.apply(frozen.forms(rgb, row.sha256, form)[form])


def solved(tokens: np.ndarray, labels: np.ndarray, learned: np.ndarray, setting: Setting) -> Head:
    """A head, learned from the images `learned` in the forms of `tokens`, (forms, N, 9216), NaN where there is none."""
    (first, last), strength = setting
    some = slice((first - 1) * clip.WIDTH, last * clip.WIDTH)
    parts: list[Part] = []
    for form, share in zip(tokens, (1.0, HANDLED_SHARE), strict=False):
        there = learned[np.isfinite(form[learned, 0])]
        weights = np.full(len(there), share * len(learned) / len(there))
        parts.append(Part(lambda rows, form=form: form[rows, some], there, labels[there], weights))
    kernel = np.zeros(WIDTH, np.float32)
    kernel[some], bias, _ = fit(parts, strength)
    return kernel, bias


def logits(head: Head, tokens: np.ndarray) -> np.ndarray:
    return tokens.astype(np.float32) @ head[0] + head[1]


def out_of_fold(tokens: np.ndarray, rows: pd.DataFrame, setting: Setting) -> np.ndarray:
    """Logits of every image in each form, (forms, N), by heads that did not learn from its fold."""
    labels, folds = rows.label.to_numpy(int), rows.fold.to_numpy(int)
    found = np.zeros((len(tokens), len(rows)))
    for fold in range(FOLDS):
        held = np.flatnonzero(folds == fold)
        head = solved(tokens, labels, np.flatnonzero(folds != fold), setting)
        found[:, held] = [logits(head, form[held]) for form in tokens]
    return found


def by_fold(rows: pd.DataFrame, found: np.ndarray) -> np.ndarray:
    """ROC AUC of each form in each fold, (forms, folds)."""
    parts = [[np.flatnonzero((rows.fold == fold) & np.isfinite(form)) for fold in range(FOLDS)] for form in found]
    return np.array(
        [[roc_auc_score(rows.label[p], form[p]) for p in folds] for folds, form in zip(parts, found, strict=True)]
    )


def tried(tokens: np.ndarray, rows: pd.DataFrame) -> tuple[list[np.ndarray], np.ndarray]:
    """For all of `SETTINGS` the logits of images as they are, and the AUCs by fold, the mean over the forms."""
    found, aucs = [], []
    for (first, last), strength in SETTINGS:
        values = out_of_fold(tokens, rows, ((first, last), strength))
        each = by_fold(rows, values)
        text = ", handled ".join(f"{auc:.4f}" for auc in each.mean(1))
        print(f"  blocks {first} to {last}, strength {strength:g}: {text}", flush=True)
        found.append(values[0])
        aucs.append(each.mean(0))
    return found, np.array(aucs)


def native(root: Path, tokens: np.ndarray, rows: pd.DataFrame, features: Features, setting: Setting, most: int) -> None:
    """What a view at native pixels, with a head of its own, adds to the whole one, on some of the images."""
    some = rows.groupby("label").head(most).index.to_numpy()
    part = rows.loc[some].reset_index(drop=True)
    whole = out_of_fold(tokens[:1, some], part, setting)
    further = out_of_fold(features(shown(root, part, frozen.AS_IT_IS, NATIVE))[None], part, setting)
    both = [whole / whole.std() + share * further / further.std() for share in (FURTHER_SHARE, 1.0)]
    aucs = [by_fold(part, each).mean() for each in (whole, further, *both)]
    print(
        f"  {len(part)} of them: whole view {aucs[0]:.4f}, native pixels {aucs[1]:.4f}, both {aucs[2]:.4f} (native "
        f"counts a third) and {aucs[3]:.4f} (as much)",
        flush=True,
    )


class Judge:
    """A head beside the shipped detector: logits calibrated, and standardised for the mean, by cross-validation."""

    def __init__(self, tokens: np.ndarray, rows: pd.DataFrame, shipped: pd.Series):
        labels = rows.label.to_numpy(int)
        found, aucs = tried(tokens, rows)
        best = int(aucs.mean(1).argmax())
        self.setting = SETTINGS[best]
        self._head = solved(tokens, labels, np.arange(len(rows)), self.setting)
        self._own = fit_calibration(labels, found[best], fitted_on="folds")
        theirs = shipped.reindex(rows.sha256).to_numpy(float)
        known = np.isfinite(theirs)
        pair = np.stack([found[best][known], theirs[known]])
        self._middle, self._spread = pair.mean(1), pair.std(1)
        mean = self._mean(*pair)
        self._both = fit_calibration(labels[known], mean, fitted_on="folds")
        part = rows[known].reset_index(drop=True)
        aucs = [by_fold(part, each[None]).mean() for each in (*pair, mean)]
        print(f"  chosen: {self.setting}; the {len(part)} images with logits of the shipped detector: ", end="")
        print(f"head {aucs[0]:.4f}, shipped {aucs[1]:.4f}, mean of both {aucs[2]:.4f}", flush=True)

    def scores(self, tokens: np.ndarray, shipped: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Calibrated scores of the head, and of its mean with the shipped detector's logits."""
        own = logits(self._head, tokens)
        return self._own.apply(own), self._both.apply(self._mean(own, shipped))

    def _mean(self, own: np.ndarray, shipped: np.ndarray) -> np.ndarray:
        pair = np.stack([own, shipped])
        return ((pair - self._middle[:, None]) / self._spread[:, None]).mean(0)


def tell(title: str, cases: Sequence[Case], shipped: Detector, judges: Sequence[Judge], features: Features) -> None:
    """A line for each handling: ROC AUC and balanced accuracy of all judges, and what they add to the shipped AUC."""
    labels = np.array([label for label, _, _ in cases])
    print(f"{title}: {len(cases)} images ({labels.sum()} fake)")
    for name in ("", *HANDLINGS):
        verdicts, found = [], []
        for start in range(0, len(cases), BATCH):
            some = cases[start : start + BATCH]
            if name:
                some = [(label, *get(name).handle(rgb)) for label, rgb, _ in some]
            verdicts += judged(shipped, some)
            found.append(features(WHOLE.apply(rgb) for _, rgb, _ in some))
        tokens, theirs = np.concatenate(found), np.array([verdict.logit for verdict in verdicts])
        scores = [np.array([verdict.score for verdict in verdicts])]
        scores += [each for judge in judges for each in judge.scores(tokens, theirs)]
        cells = []
        for values in scores:
            auc, accuracy = roc_auc_score(labels, values), balanced_accuracy_score(labels, is_fake(values, 0.5))
            gain = compare(pd.DataFrame({"label": labels, "score_a": scores[0], "score_b": values}), 0.5, 0.5)
            added = f" [{gain['auc_low']:+.3f}, {gain['auc_high']:+.3f}]" if values is not scores[0] else ""
            cells.append(f"{auc:.3f} {accuracy:.3f}{added}")
        print(f"  {name or 'as they are':13} {' | '.join(cells)}", flush=True)


def faces(data: Path, most: int, copies: int, features: Features) -> None:
    shipped = Detector.load("faces")
    known = read_predictions(workspace.shipped_models_dir() / "faces/predictions_cross-validation.parquet")
    theirs = known.set_index("sha256").logit
    root, handled = data / "faces", frozen.Variant("drawn", 1)
    rows = training(root, EVERY)
    tokens = np.full((2, len(rows), WIDTH), np.nan, np.float16)
    tokens[0] = features(shown(root, rows, frozen.AS_IT_IS, WHOLE))
    some = rows.groupby("label").head(copies)
    tokens[1, some.index] = features(shown(root, some, handled, WHOLE))
    judges = []
    for forms, how in ((1, "as they are"), (2, f"as they are and {len(some)} handled copies")):
        print(f"faces/train, {len(rows)} images {how}, whole view: mean ROC AUC of {FOLDS} folds")
        judges.append(Judge(tokens[:forms], rows, theirs))
        if forms == 1:
            native(root, tokens, rows, features, judges[0].setting, most)
    print("ROC AUC and balanced accuracy: shipped | head | mean of both | head, learned from handled copies too | mean")
    print("of both; in brackets what is added to the shipped detector's AUC, 95% interval")
    tell("faces/valid (a test split)", list(pictures(root / "valid")), shipped, judges, features)
    tell("street_people, faces", cut_out(list(pictures(data / "modern/street_people"))), shipped, judges, features)
    others = list(pictures(data / "faces_stylegan2"))
    random = np.random.default_rng(0)
    parts = [random.permutation([n for n, case in enumerate(others) if case[0] == label])[:most] for label in (0, 1)]
    cases = [others[number] for number in np.concatenate(parts)]
    tell(f"faces_stylegan2, {most} a class", cases, shipped, judges, features)


def small(data: Path, most: int, features: Features) -> None:
    rows = training(data / "cifake", most)
    tokens = features(shown(data / "cifake", rows, frozen.AS_IT_IS, WHOLE))[None]
    print(f"cifake, {len(rows)} images, whole view: mean ROC AUC of {FOLDS} folds")
    found, aucs = tried(tokens, rows)
    # The setting for a fold is the best on the other folds.
    best = [int(np.delete(aucs, fold, axis=1).mean(1).argmax()) for fold in range(FOLDS)]
    own = np.array([found[best[fold]][number] for number, fold in enumerate(rows.fold)])
    known = read_predictions(workspace.shipped_models_dir() / "small/predictions_cross-validation.parquet")
    theirs = known.drop_duplicates("sha256").set_index("sha256").logit.reindex(rows.sha256).to_numpy(float)
    both = np.isfinite(theirs)
    mean = own / own[both].std() + theirs / theirs[both].std()
    print(f"the head: {honest_report(rows.assign(logit=own))}")
    print("Those with logits of the shipped detector:")
    for title, values in (("the head", own), ("shipped", theirs), ("their mean", mean)):
        print(f"{title}: {honest_report(rows[both].assign(logit=values[both]))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=120, help="images a class of faces_stylegan2")
    parser.add_argument("--copies", type=int, default=EVERY, help="handled copies a class of faces/train")
    parser.add_argument("--small", type=int, default=EVERY, help="images a class of cifake")
    parser.add_argument("--only", choices=("faces", "small"))
    options = parser.parse_args()
    features = Features()
    if options.only != "small":
        faces(options.data, options.most, options.copies, features)
    if options.only != "faces":
        small(options.data, options.small, features)


if __name__ == "__main__":
    main()
