"""The latest audit of each data set, kept in the workspace."""

import os
from pathlib import Path

from dfcore import workspace
from dfcore.audit.finding import Audit
from dfcore.datasets import Dataset
from dfcore.errors import InputError
from dfcore.utils.files import sha256_bytes


def keep(root: Path, audit: Audit) -> None:
    """Stores the audit of a folder or manifest in place of an earlier one.

    Raises:
        StorageError: If it cannot be written.
    """
    audit.write(_file(root))


def recall(root: Path) -> Audit | None:
    """The stored audit of a folder or manifest; None if there is none, or none that can be read."""
    try:
        return Audit.from_json(_file(root).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, InputError):
        return None


def is_stale(audit: Audit, dataset: Dataset) -> bool:
    """Whether images, labels or splits have changed since the audit."""
    return audit.fingerprint != dataset.fingerprint


def notes(root: Path, dataset: Dataset) -> tuple[str, ...]:
    """What users of a detector trained on a data set must be told of its reading and its audit; one sentence each.

    Args:
        root: Folder or manifest that was scanned.
        dataset: What the scan found.
    """
    told = [] if dataset.reading.confirmed else ["Nobody has confirmed how the data set was read.", *dataset.doubts]
    audit = recall(root)
    if audit is None:
        return (*told, "The data set was not audited.")
    if is_stale(audit, dataset):
        told.append("The data set has changed since its audit.")
    found = [f"Audit, {finding.severity}: {finding.title}" for finding in audit.of("high", "medium")]
    return (*told, *(found or ["The audit found no severe fault."]))


def _file(root: Path) -> Path:
    name = sha256_bytes(os.fsencode(root.expanduser().resolve()))[:24]
    return workspace.data_dir() / "audits" / f"{name}.json"
