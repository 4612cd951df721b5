"""Runs all checks on a data set."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from dfcore import workspace
from dfcore.audit import basics, content, duplicates, labels, shortcuts
from dfcore.audit.evidence import MOST_PROBED, Evidence, copy_pairs, file_facts, read_signatures, related, sample
from dfcore.audit.facts import table_of
from dfcore.audit.finding import Audit, Finding, ordered
from dfcore.audit.labels import MOST_JUDGED
from dfcore.audit.probe import Auc, boosting, cross_validate, enough
from dfcore.datasets import Dataset
from dfcore.datasets.near_memory import NearMemory
from dfcore.detectors.bundle import now
from dfcore.errors import DatasetError

Progress = Callable[[int, int], None]
# Steps after which progress is told again.
_SHOWN = 50


def audit(dataset: Dataset, *, progress: Progress | None = None, seed: int = 0, networks: bool = True) -> Audit:
    """Audits a data set: shortcuts, content, copies, labels, and plain faults.

    Nothing is changed. Near-duplicates and features of images, which take long, are kept in the cache as they are
    found: an audit that was stopped or killed goes on where it was. Probes look at a sample of large data sets, which
    `Audit.notes` then tells.

    Args:
        dataset: What `scan` returned; leave splits that the folders do not give undrawn.
        progress: Called with (steps done, steps in all) from time to time; a step is about one image looked at.
        seed: Seed of samples and folds; the same seed gives the same findings.
        networks: Whether labels are questioned with the shipped networks, which takes most of the time.

    Raises:
        DatasetError: If no image can be used.

    Example:
        >>> import dfcore
        >>> from dfcore.audit.run import audit
        >>> from dfcore.datasets.demo import make_demo
        >>> found = audit(dfcore.scan(make_demo("demo", crops_per_block=1)), networks=False)
        >>> found.images, found.kind("unusable")[0].severity
        (40, 'ok')
    """
    if dataset.usable.empty:
        raise DatasetError(f"{dataset.name} has no image that can be used. Expected labelled, readable images.")
    count = len(dataset.usable)
    steps = _Steps(progress, [count, count, min(count, MOST_PROBED), min(count, MOST_JUDGED) if networks else 0])
    evidence = gather(dataset, seed, steps)
    steps.stage(2)
    findings = [*basics.find(evidence), *duplicates.find(evidence), *_probes(evidence, steps)]
    steps.stage(3)
    findings += labels.find(evidence, steps.done if networks else None)
    steps.end()
    counts = dataset.usable.label.value_counts()
    return Audit(
        root=str(dataset.root), dataset=dataset.name, fingerprint=dataset.fingerprint, images=count,
        real=int(counts.get(0, 0)), fake=int(counts.get(1, 0)), seed=seed, created=now(),
        findings=ordered(findings), notes=tuple(_notes(evidence, count, networks)),
    )  # fmt: skip


def gather(dataset: Dataset, seed: int = 0, steps: "_Steps | None" = None) -> Evidence:
    """Signatures, near-duplicates, and what belongs together."""
    steps = steps or _Steps(None, [0, 0])
    rows, signatures = read_signatures(dataset, workspace.cache_dir(), steps.done)
    steps.stage(1)
    memory = NearMemory(workspace.cache_dir(), dataset.root)
    pairs = copy_pairs(rows, signatures, memory, lambda done, _: steps.done(done))
    return Evidence(dataset, rows, signatures, related(rows, pairs), pairs, seed)


def shortcut_auc(dataset: Dataset, *, seed: int = 0, seeds: int = 5) -> Auc | None:
    """The AUC of the shortcut probe, as a mean over seeds of its folds; None with too few images.

    Near-duplicates are not looked for; same pixels and `source_id` stay together.

    Args:
        dataset: The data set.
        seed: First seed.
        seeds: Number of seeds.
    """
    rows = dataset.usable.reset_index(drop=True)
    rows = rows.iloc[sample(rows.label.to_numpy(int), MOST_PROBED, seed)].reset_index(drop=True)
    groups = related(rows, pd.DataFrame({"i": [], "j": []}, dtype=int))
    files, words = file_facts(dataset.root, rows, lambda _: None)
    kept = files.index.to_numpy(int)
    labels = rows.label.to_numpy(int)[kept]
    if not enough(labels, groups[kept]):
        return None
    values = table_of(files, words).values
    each = [cross_validate(values, labels, groups[kept], boosting(seed + k), seed=seed + k) for k in range(seeds)]
    low, value, high = (float(np.mean([getattr(auc, name) for auc in each])) for name in ("low", "value", "high"))
    return Auc(value, low, high, each[0].scores)


def _probes(evidence: Evidence, steps: "_Steps") -> Iterator[Finding]:
    chosen = sample(evidence.labels, MOST_PROBED, evidence.seed)
    rows = evidence.rows.iloc[chosen]
    files, words = file_facts(evidence.dataset.root, rows, steps.done)
    kept = files.index.to_numpy(int)
    yield shortcuts.find(files, words, evidence.labels[kept], evidence.related[kept], evidence.seed)
    signatures = [evidence.signatures[number] for number in chosen]
    yield content.find(
        evidence.paths(chosen), signatures, evidence.labels[chosen], evidence.related[chosen], evidence.seed
    )


def _notes(evidence: Evidence, count: int, networks: bool) -> Iterator[str]:
    for what, most in (("Probes", MOST_PROBED), ("The check of labels", MOST_JUDGED if networks else count)):
        if count > most:
            yield f"{what} looked at {most:,} of {count:,} images, drawn at random with seed {evidence.seed}."
    if not networks:
        yield "Labels were not questioned with networks."
    lost = count - len(evidence.rows)
    if lost:
        yield f"{lost:,} images could not be read again, or have changed since they were scanned."


class _Steps:
    """Adds the progress of stages up to one count."""

    def __init__(self, progress: Progress | None, sizes: list[int]):
        self._progress, self._sizes, self._stage, self._told = progress, sizes, 0, 0

    def stage(self, number: int) -> None:
        """Begins a stage."""
        self._stage, self._told = number, -_SHOWN
        self.done(0)

    def done(self, count: int) -> None:
        """Tells how much of the stage is done."""
        if self._progress and (count >= self._told + _SHOWN or count == self._sizes[self._stage]):
            self._told = count
            before = sum(self._sizes[: self._stage])
            self._progress(before + min(count, self._sizes[self._stage]), sum(self._sizes))

    def end(self) -> None:
        """Tells that all is done."""
        if self._progress:
            self._progress(sum(self._sizes), sum(self._sizes))
