"""Detectors that changed since they judged."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dfcore.cases import Store


def show(store: "Store") -> None:
    """Filled in once the store can tell."""
