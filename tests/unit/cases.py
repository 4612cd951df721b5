"""Stores of cases for tests: SQLite, and PostgreSQL where it is installed; pictures and verdicts to put into them.

The fixtures are those of all unit tests, see `conftest.py` beside this file.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest

from dfcore.cases import Judgement, Picture
from dfcore.utils.files import sha256_bytes
from tests import postgresql

if TYPE_CHECKING:
    from dfcore.cases import Store

DATABASES = ("sqlite", "postgresql")


@cache
def _reason() -> str | None:
    return postgresql.why_not()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server of our own."""
    if reason := _reason():
        pytest.skip(reason)
    with postgresql.server() as address:
        yield address


@pytest.fixture(params=DATABASES)
def address(request, tmp_path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'cases.db'}"
    found = request.getfixturevalue("postgres")
    postgresql.empty(found)
    return found


@pytest.fixture
def store(address, tmp_path) -> "Iterator[Store]":
    """An empty store."""
    from dfcore.cases import Store

    with Store(address, tmp_path / "images") as opened:
        yield opened


def a_picture(number: int | str = 0, **changes) -> Picture:
    """A picture of its own for each number."""
    name = sha256_bytes(f"picture {number}".encode())
    values = {"sha256": name, "pixels_sha256": sha256_bytes(name.encode()), "name": f"folder/{number}.jpg",
              "phash": name[:16], "format": "JPEG", "width": 640, "height": 480, "bytes": 1000}  # fmt: skip
    return Picture(**(values | changes))


def a_judgement(score: float | None = 0.25, **changes) -> Judgement:
    """A verdict; which picture it is about is filled in when it is remembered."""
    values = {"picture": "", "detector": "small", "title": "Small", "card_sha256": "c" * 64, "model_sha256": "d" * 64,
              "tool": "0.7.0", "engine": "openvino", "score": score, "logit": -1.5, "finding": "no_sign",
              "decision": "inconclusive", "by": "ada"}  # fmt: skip
    return Judgement(**(values | changes))


def fill(store: "Store", pictures: int = 3) -> list[str]:
    """Puts pictures, a case and what people say into a store; returns the pictures' hashes."""
    made = [a_picture(number) for number in range(pictures)]
    store.remember_many([(one, a_judgement(number / pictures)) for number, one in enumerate(made)])
    names = [one.sha256 for one in made]
    case = store.create_case("The first case", by="ada", tags=["urgent"])
    store.file(case.id, names[:2], by="ada")
    store.note("looks odd around the ears", by="bob", picture=names[0], case=case.id)
    store.decide(names[0], "fake", by="ada", why="ears")
    store.tag("portrait", by="bob", picture=names[1])
    return names


def tampered(store: "Store", *statements: str) -> None:
    """Changes a database behind the store's back."""
    from sqlalchemy import text

    with store.database.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))
