"""The report of a case: what it is, what was written of it, and a part for each of its pictures."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dfcore.cases import Query, Row
from dfcore.errors import DfcoreError
from dfcore.reports import notes
from dfcore.reports.blocks import Block, Grid, Part, Section, Text, facts
from dfcore.reports.of_history import of_history
from dfcore.reports.versions import versions
from dfcore.reports.written import MOST

if TYPE_CHECKING:
    from dfcore.cases.store import Store


def title_of(store: "Store", case: int) -> str:
    """What a report of a case is called.

    Raises:
        InputError: If there is no such case.
    """
    return f"Case {case}: {store.case(case).title}"


def of_case(store: "Store", case: int, progress: Callable[[int, int], None] | None = None) -> list[Part]:
    """A case as it is stored, as parts of a report: the case, then its pictures, at most `MOST` of them.

    Args:
        store: The store.
        case: Number of the case.
        progress: Called with (pictures done, pictures in all).

    Raises:
        InputError: If there is no such case.
        StorageError: If the store cannot be read.
    """
    found = store.search(Query(case=case), order="name", limit=None)
    parts = [_summary(store, case, found.rows)]
    shown = found.rows[:MOST]
    for number, row in enumerate(shown):
        history = store.history(row.picture.sha256)
        parts.append(of_history(history, _kept(store, row)))
        if progress:
            progress(number + 1, len(shown))
    return parts


def _summary(store: "Store", case: int, rows: tuple[Row, ...]) -> Part:
    return Part(
        "The case",
        (
            Section("What it is", tuple(_about(store, case))),
            Section("Notes", notes.of_notes([note for note in store.case_notes(case) if note.picture is None])),
            Section("Pictures", tuple(_pictures(rows))),
            Section("The log", tuple(_log(store))),
            Section("Versions", facts(versions())),
        ),
    )


def _about(store: "Store", case: int) -> Iterator[Block]:
    one = store.case(case)
    yield from facts([("Number", one.id), ("Title", one.title), ("Opened", f"{one.created}, by {one.by}"),
                      ("Closed", one.closed or "it is open"), ("Tags", ", ".join(one.tags)),
                      ("Pictures", f"{one.pictures:,}")])  # fmt: skip


def _pictures(rows: tuple[Row, ...]) -> Iterator[Block]:
    if not rows:
        yield Text("No picture is filed in it.")
        return

    def cells(row: Row) -> tuple[str, ...]:
        judged, decided = row.judgement, row.decision
        said = notes.finding_in_words(judged.finding) if judged else "never judged"
        return (row.picture.name, said, decided.decided if decided else "", ", ".join(row.tags),
                "yes" if row.image else "no", row.picture.sha256)  # fmt: skip

    yield Grid(("Picture", "Newest verdict", "Decided", "Tags", "Kept", "SHA-256 of the file"), tuple(map(cells, rows)))
    if len(rows) > MOST:
        yield Text(
            f"Only the first {MOST} of {len(rows):,} pictures have a part of their own in this report.", "warning"
        )


def _log(store: "Store") -> Iterator[Block]:
    head = store.head()
    yield from facts([("Newest entry", head.number), ("Its hash", head.hash)], exact=True)
    yield Text("With this hash, dfcore cases verify shows whether anything was changed or removed since.", "small")


def _kept(store: "Store", row: Row) -> bytes | None:
    if not row.image:
        return None
    try:
        return store.image(row.picture.sha256)
    except DfcoreError:  # Damaged: the report says that it cannot be shown.
        return b""
