"""Actions on cases and on what is remembered of pictures: roles are checked and actions logged, as in `actions`."""

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from dashboard import background, memory_writer, roles
from dashboard.actions import needs
from dashboard.roles import Role
from dfcore import workspace
from dfcore.errors import InputError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from dfcore.cases import Case, Store
    from dfcore.cases.values import Pruned
    from dfcore.exchange.decisions import Exported
    from dfcore.inspection.again import Again

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}")


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


# === Judged again, and learned from ===


@needs(Role.ANALYST, "Judging again")
def start_judging_again(case: int | None) -> None:
    """Judges pictures whose detector changed again, in the background; writes nothing. Its result is [`Again`, …]."""
    who = roles.who()

    def work(task: background.Task) -> "list[Again]":
        from dfcore.inspection import again

        store, result = _store(), []
        changed = store.changed(again.present(), case=case).rows
        report = task.step("Judging again")
        for one in again.judge_again(store, changed, by=who):
            result.append(one)
            report(len(result), len(changed))
        return result

    background.start(background.again_key(case, who), "Judging again", work)


@needs(Role.ANALYST, "Stopping judging again")
def stop_judging_again(case: int | None) -> None:
    """Asks what `start_judging_again` began for this user to stop; does nothing if it has ended."""
    task = background.find(background.again_key(case, roles.who()))
    if task is not None:
        task.stop()


@needs(Role.ANALYST, "Keeping verdicts of judging again")
def keep_judged_again(judged: "Sequence[Again]") -> int:
    """See `dfcore.inspection.again.keep`."""
    from dfcore.inspection import again

    return again.keep(_store(), judged)


@needs(Role.TRAINER, "Exporting decisions")
def export_decisions(name: str, *, case: int | None = None) -> "Exported":
    """Writes decisions as a data set of the workbench and registers it; see `dfcore.exchange.decisions.export`."""
    from dfcore.datasets import registry
    from dfcore.exchange import decisions

    if not _NAME.fullmatch(name):
        raise InputError(f"Expected a name of letters, digits, . - and _, at most 80. Received: {name[:100]!r}.")
    made = decisions.export(_store(), workspace.data_dir() / name, case=case)
    registry.register(str(made.folder))
    return made
