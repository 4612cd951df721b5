"""Fixtures of the unit tests: stores of cases in both databases."""

from tests.unit.cases import address, postgres, store

__all__ = ["address", "postgres", "store"]
