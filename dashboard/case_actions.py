"""Actions on cases and on what is remembered of pictures: roles are checked and actions logged, as in `actions`."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dashboard import memory_writer, roles
from dashboard.actions import needs
from dashboard.roles import Role

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dfcore.cases import Case, Store
    from dfcore.cases.values import Pruned


def _store() -> "Store":
    from dfcore.cases import open_store

    return open_store()


# === What was judged ===


@needs(Role.ANALYST, "Remembering verdicts", noted=False)
def remember(verdicts: "Sequence[memory_writer.Told]") -> "Future[memory_writer.Known]":
    """Hands verdicts over to be written in the background; see `memory_writer.write`. Not logged per image."""
    return memory_writer.hand_over(verdicts, roles.who())


@needs(Role.ANALYST, "Keeping a picture")
def keep_image(picture: str, data: bytes) -> None:
    """See `Store.keep_image`."""
    _store().keep_image(picture, data, by=roles.who())


@needs(Role.TRAINER, "Forgetting a picture")
def forget(picture: str, why: str) -> None:
    """See `Store.forget`."""
    _store().forget(picture, by=roles.who(), why=why)


# === What people say ===


@needs(Role.ANALYST, "Deciding on a picture")
def decide(picture: str, decided: str, *, case: int | None = None, why: str = "") -> None:
    """See `Store.decide`."""
    _store().decide(picture, decided, by=roles.who(), case=case, why=why)


@needs(Role.ANALYST, "Writing a note")
def note(text: str, *, case: int | None = None, picture: str | None = None) -> None:
    """See `Store.note`."""
    _store().note(text, by=roles.who(), case=case, picture=picture)


@needs(Role.ANALYST, "Changing tags")
def set_tags(tags: Collection[str], *, case: int | None = None, picture: str | None = None) -> None:
    """Gives a case or a picture these tags and takes all others away; see `Store.tag`."""
    store = _store()
    before = store.case(case).tags if case is not None else store.history(str(picture)).tags
    for name in tags:
        if name not in before:
            store.tag(name, by=roles.who(), case=case, picture=picture)
    for name in before:
        if name not in tags:
            store.untag(name, by=roles.who(), case=case, picture=picture)


# === Cases ===


@needs(Role.ANALYST, "Opening a case")
def create_case(title: str, pictures: Collection[str] = ()) -> "Case":
    """Opens a case and files pictures in it; see `Store.create_case`."""
    store = _store()
    made = store.create_case(title, by=roles.who())
    if pictures:
        store.file(made.id, pictures, by=roles.who())
    return made


@needs(Role.ANALYST, "Filing pictures in a case", noted=False)
def file_in(case: int, pictures: Collection[str]) -> int:
    """See `Store.file`, which writes who did it."""
    return _store().file(case, pictures, by=roles.who())


@needs(Role.ANALYST, "Taking pictures out of a case", noted=False)
def take_out(case: int, pictures: Collection[str]) -> int:
    """See `Store.take_out`, which writes who did it."""
    return _store().take_out(case, pictures, by=roles.who())


@needs(Role.ANALYST, "Changing a case")
def change_case(case: int, *, title: str | None = None, closed: bool | None = None) -> None:
    """See `Store.change_case`."""
    _store().change_case(case, by=roles.who(), title=title, closed=closed)


@needs(Role.TRAINER, "Deleting a case")
def delete_case(case: int, why: str) -> None:
    """See `Store.delete_case`."""
    _store().delete_case(case, by=roles.who(), why=why)


@needs(Role.TRAINER, "Deleting what is old")
def prune(before: str) -> "Pruned":
    """See `Store.prune`."""
    return _store().prune(before, by=roles.who())
