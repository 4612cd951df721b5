"""The store of cases: what is remembered, found again and said of it, through SQLite and PostgreSQL alike."""

import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dfcore.cases import Query, open_store
from dfcore.errors import BusyError, CasesOffError, InputError, StorageError
from tests.unit.cases import a_judgement, a_picture, fill, tampered


def test_a_verdict_is_remembered_as_it_was_given(store):
    judgement = a_judgement(
        0.123456789012345, thresholds={"real_below": 0.2}, record={"verdict": {"score": 0.1}}, ood=False
    )
    number = store.remember(a_picture(), judgement)
    history = store.history(a_picture().sha256)
    kept = history.judgements[0]
    assert history.picture == a_picture()
    assert kept == replace(judgement, id=number, picture=a_picture().sha256, at=kept.at, name=a_picture().name)
    assert kept.at.endswith("+00:00")


def test_the_same_verdict_is_written_once_and_any_other_is_added(store):
    first = store.remember(a_picture(), a_judgement())
    again = [store.remember(a_picture(), a_judgement(at="2026-01-01", via="batch")) for _ in range(2)]
    assert again == [first, first]
    other = [
        a_judgement(0.5),
        a_judgement(card_sha256="e" * 64),
        a_judgement(thresholds={"real_below": 0.1}),
        a_judgement(ignore_ood=True),
        a_judgement(tool="0.8.0"),
    ]
    numbers = store.remember_many([(a_picture(), one) for one in other] * 2)
    assert numbers[:5] == numbers[5:]
    assert len({first, *numbers}) == 6 == len(store.history(a_picture().sha256).judgements)


def test_judged_again_it_is_the_newest_though_an_older_verdict_was_the_same(store):
    old = store.remember(a_picture(), a_judgement(0.1))
    store.remember(a_picture(), a_judgement(0.9))
    assert store.remember(a_picture(), a_judgement(0.1)) == old
    again = store.remember(a_picture(), a_judgement(0.1, via="again"))
    assert again > old and store.search().rows[0].judgement.id == again
    assert store.remember(a_picture(), a_judgement(0.1, via="again")) == again


def test_what_is_learned_of_a_picture_later_is_added(store):
    bare = replace(a_picture(), pixels_sha256="", phash="", width=0, height=0, format="", name="")
    store.remember(bare, a_judgement(0.1, name="batch/7.jpg"))
    store.remember(a_picture(), a_judgement(0.2, name="upload.jpg"))
    assert store.history(bare.sha256).picture == replace(a_picture(), name="batch/7.jpg")
    assert store.search(Query(text="UPLOAD")).total == 1


def test_seen_before_as_the_same_file_the_same_pixels_or_alike(store):
    near = f"{int(a_picture(0).phash, 16) ^ 0b101:016x}"
    store.remember(a_picture(0), a_judgement())
    store.remember(a_picture(1, pixels_sha256=a_picture(0).pixels_sha256, phash=""), a_judgement())
    store.remember(a_picture(2, phash=near), a_judgement(0.75))
    store.remember(a_picture(3), a_judgement())
    found = store.seen(a_picture(0))
    assert [(one.how, one.bits, one.picture.sha256) for one in found] == [
        ("file", 0, a_picture(0).sha256), ("pixels", 0, a_picture(1).sha256), ("alike", 2, a_picture(2).sha256),
    ]  # fmt: skip
    assert found[2].judgements[0].score == 0.75
    turned = store.seen(a_picture("turned", phash="", mirrored=near))
    assert [(one.picture.sha256, one.bits, one.mirrored) for one in turned] == [
        (a_picture(2).sha256, 0, True), (a_picture(0).sha256, 2, True),
    ]  # fmt: skip
    store.remember(a_picture(4, phash=near), a_judgement())  # Known by then, not only when it was first asked.
    assert a_picture(4).sha256 in [one.picture.sha256 for one in store.seen(a_picture(0))]


def test_cases_notes_decisions_and_tags(store):
    names = fill(store)
    history = store.history(names[0])
    assert [(one.text, one.by, one.case) for one in history.notes] == [("looks odd around the ears", "bob", 1)]
    assert [(one.decided, one.why) for one in history.decisions] == [("fake", "ears")]
    assert [one.title for one in history.cases] == ["The first case"] and history.cases[0].pictures == 2
    store.decide(names[0], "undecided", by="bob", case=1)
    assert [one.decided for one in store.history(names[0]).decisions] == ["fake", "undecided"]
    assert store.search(Query(text=names[0][:12])).rows[0].decision.decided == "undecided"
    assert store.tag("portrait", by="ada", picture=names[1]) is False
    assert store.untag("portrait", by="ada", picture=names[1]) is True
    assert store.history(names[1]).tags == ()
    assert store.take_out(1, names[:1], by="ada") == 1 and store.case(1).pictures == 1
    closed = store.change_case(1, closed=True, title="Another title", by="ada")
    assert closed.closed and closed.title == "Another title" and closed.tags == ("urgent",)
    assert store.change_case(1, closed=False, by="ada").closed is None
    assert store.create_case("The first case", by="ada").id == 2


def test_what_is_asked_wrongly_is_refused_and_nothing_is_written(store):
    names = fill(store)
    before = store.head()
    for call in (
        lambda: store.remember(a_picture(sha256="x"), a_judgement()),
        lambda: store.remember(a_picture(), a_judgement(float("nan"))),
        lambda: store.remember(a_picture(), a_judgement(via="elsewhere")),
        lambda: store.remember(a_picture(), a_judgement(finding="certainly")),
        lambda: store.remember(a_picture(), a_judgement(at="yesterday")),
        lambda: store.remember(a_picture(7), a_judgement(record={"score": float("inf")})),
        lambda: store.file(1, [names[2], "f" * 64], by="ada"),
        lambda: store.file(2, names, by="ada"),
        lambda: store.note(" ", by="ada", case=1),
        lambda: store.note("neither", by="ada"),
        lambda: store.decide(names[0], "maybe", by="ada"),
        lambda: store.decide("f" * 64, "real", by="ada"),
        lambda: store.tag("both", by="ada", case=1, picture=names[0]),
        lambda: store.create_case("x" * 301, by="ada"),
        lambda: store.history("f" * 64),
        lambda: store.search(order="best"),
        lambda: store.search(limit=-1),
        lambda: store.cases(offset=-1),
    ):
        with pytest.raises(InputError, match="Expected"):
            call()
    assert store.head() == before


def test_search_by_everything_together_and_alone(store):
    names = fill(store, 10)
    store.remember(a_picture(11), a_judgement(None, finding=None, error="cannot be read", at="2026-01-02T10:00:00Z"))

    def found(**query):
        return {row.picture.sha256 for row in store.search(Query(**query)).rows}

    assert found() == {*names, a_picture(11).sha256}
    assert found(text="EARS folder") == found(decided="fake") == {names[0]}
    assert found(text="Portrait") == found(tag="portrait") == {names[1]}
    assert found(text="%") == found(text="_") == set()
    assert found(case=1) == set(names[:2])
    assert found(finding="none") == found(until="2026-01-02") == {a_picture(11).sha256}
    assert found(until="2026-01-01") == found(via="watch") == found(detector="other") == set()
    assert found(since="2026-01-03", finding="no_sign") == set(names)
    assert found(lowest=0.5, highest=0.7) == set(names[5:8])
    assert found(lowest=0.5, decided="none", text="8.jpg") == {names[8]}
    page = store.search(order="highest", limit=2, offset=1)
    assert [row.judgement.score for row in page.rows] == [0.8, 0.7] and page.total == 11
    assert store.search(order="lowest", limit=1).rows[0].judgement.score == 0
    assert [row.picture.name for row in store.search(order="name", limit=2).rows] == ["folder/0.jpg", "folder/1.jpg"]
    assert store.search(order="oldest").rows[0].picture.sha256 == names[2]  # The others were spoken of since.
    assert store.tags() == [("portrait", 1)] and store.case_tags() == [("urgent", 1)]
    assert store.detectors() == [("small", 11)]
    assert store.cited(detector="small") == store.cited(card="c" * 64) == store.cited(model="d" * 64) == 11
    assert store.cited(detector="other") == store.cited() == 0


def test_cases_are_found(store):
    for number in range(1, 13):
        store.create_case(f"Case of {['Ärger', 'mud'][number % 2]} {number}", by="ada", tags=[f"t{number % 3}"])
    store.change_case(3, closed=True, by="ada")
    assert store.cases("ÄRGER").total == 6
    assert [one.id for one in store.cases("7").rows] == [7]
    assert [one.id for one in store.cases(limit=2, offset=1).rows] == [12, 11]
    assert [one.id for one in store.cases(is_open=False).rows] == [3]
    assert [one.id for one in store.cases("mud", tag="t0", is_open=True).rows] == [9]


@given(text=st.text(st.characters(codec=None), min_size=1, max_size=30))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_strangers_write_stays_text(store, text):
    picture = a_picture(name=text)
    store.remember(picture, a_judgement(name=text, error=text, record={"name": text}))
    if text.strip():
        store.note(text, by=text, picture=picture.sha256)
    assert store.history(picture.sha256).judgements
    assert store.search(Query(text=text, tag=text, detector=text, case=1)).total == 0
    store.search(Query(text=text))
    assert store.verify().holds


def test_names_with_zero_bytes_and_lone_surrogates(store):
    store.remember(a_picture(name="a\0b\udcff'; DROP TABLE log; --"), a_judgement())
    assert store.history(a_picture().sha256).picture.name == "a\\x00b\\udcff'; DROP TABLE log; --"
    assert store.verify().holds


def test_threads_and_two_stores_write_at_once(store, address, tmp_path):
    from dfcore.cases import Store

    other, failed = Store(address, tmp_path / "images"), []

    def write(one, first):
        try:
            for number in range(first, first + 20):
                one.remember(a_picture(number), a_judgement())
        except Exception as error:  # Shown below.
            failed.append(error)

    threads = [threading.Thread(target=write, args=((store, other)[k % 2], 20 * (k // 2))) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    checked = store.verify()
    assert not failed and checked.holds
    assert store.search().total == 60 and checked.rows == 120  # Each picture and verdict once.


def test_who_waits_too_long_for_other_writers_is_told(store, address, tmp_path, monkeypatch):
    from dfcore.cases import Store, database

    monkeypatch.setattr(database, "_PATIENCE", 0.2)
    with Store(address, tmp_path / "images") as other:
        with store.database.writing(), pytest.raises(BusyError, match="Try again later"):
            other.remember(a_picture(), a_judgement())
        assert other.search().total == 0
        other.remember(a_picture(), a_judgement())


def test_the_store_of_a_workspace_is_one_for_the_process(tmp_path, monkeypatch):
    first = open_store()
    assert open_store() is first and (tmp_path / "cases" / "cases.db").is_file()
    first.remember(a_picture(), a_judgement())
    (tmp_path / "cases").rename(tmp_path / "moved")
    assert open_store() is not first and open_store().search().total == 0
    monkeypatch.setenv("DFCORE_CASES", "off")
    with pytest.raises(CasesOffError, match="off"):
        open_store()


def test_a_damaged_database_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "cases").mkdir()
    file = tmp_path / "cases" / "cases.db"
    file.write_bytes(b"no database at all " * 1000)
    before = file.read_bytes()
    with pytest.raises(StorageError, match=r"damaged.*restore"):
        open_store()
    assert file.read_bytes() == before
    file.write_bytes(b"")
    with pytest.raises(StorageError, match=r"damaged: it is empty.*restore"):
        open_store()
    assert file.read_bytes() == b""


def test_a_database_of_something_else_is_refused(address, tmp_path):
    from sqlalchemy import create_engine, text

    from dfcore.cases import Store

    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    engine.dispose()
    with pytest.raises(StorageError, match=r"something else.*invoices"):
        Store(address, tmp_path)


@pytest.mark.parametrize("given", ["mysql://user@host/x", "no address", "sqlite://"])
def test_an_address_that_is_none_is_refused_without_its_password(given, tmp_path):
    from dfcore.cases import Store

    with pytest.raises(InputError, match="Expected an address"):
        Store(given, tmp_path)


def test_a_server_that_is_not_there_is_told_without_its_password(tmp_path):
    from dfcore.cases import Store

    with pytest.raises(StorageError, match="cannot be used") as told:
        Store(f"postgresql://user:secret@/x?host={tmp_path}", tmp_path)
    assert "secret" not in str(told.value)


def test_importing_the_room_loads_no_sqlalchemy():
    code = "import sys, dfcore.cases; sys.exit('sqlalchemy' in sys.modules or 'alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_altered_removed_and_inserted_rows_are_found_and_named(store):
    names = fill(store)
    whole = store.verify()
    assert whole.holds and whole.rows == store.head().number and whole.head == store.head()
    head = store.head()
    assert (
        store.verify(f"{head.number}:{head.hash}").holds and store.verify(head.hash).holds and store.verify(head).holds
    )

    def undo_after(*statements):
        """What is found after statements that are taken back then."""
        from sqlalchemy import text

        from dfcore.cases.verify import verify

        with suppress(StopAsyncIteration), store.database.writing() as connection:
            for statement in statements:
                connection.execute(text(statement))
            found = verify(connection, head)
            raise StopAsyncIteration
        return {(one.kind, one.number) for one in found.problems}

    assert ("altered", 2) in undo_after("UPDATE log SET body = replace(body, '0.0', '0.9') WHERE sequence = 2")
    assert undo_after("UPDATE log SET by = 'mallory' WHERE sequence = 8") >= {("altered", 8)}
    assert ("altered", 5) in undo_after("UPDATE log SET digest = hash WHERE sequence = 5")
    assert ("removed", 4) in undo_after("DELETE FROM log WHERE sequence = 4")
    last = head.number
    assert ("head", last) in undo_after(f"DELETE FROM log WHERE sequence = {last}")
    row = "SELECT {} , at, by, kind, picture, case_id, body, more, digest, previous, hash FROM log WHERE sequence = 2"
    assert ("altered", last + 1) in undo_after(f"INSERT INTO log {row.format(last + 1)}")
    shift = "UPDATE log SET sequence = sequence + 1000 WHERE sequence >= 3"
    back = "UPDATE log SET sequence = sequence - 999 WHERE sequence >= 1003"
    assert ("altered", 3) in undo_after(shift, back, f"INSERT INTO log {row.format(3)}")
    assert ("emptied", 2) in undo_after("UPDATE log SET body = NULL, more = NULL, picture = NULL WHERE sequence = 2")
    assert ("altered", None) in undo_after(f"UPDATE pictures SET finding = 'real' WHERE sha256 = '{names[0]}'")
    assert ("removed", None) in undo_after("DELETE FROM filings")
    assert ("inserted", None) in undo_after(f"INSERT INTO picture_tags VALUES ('{'f' * 64}', 'x')")
    assert ("altered", None) in undo_after("UPDATE cases SET title = 'Another'")
    assert store.verify().holds


def test_a_removed_last_row_is_found_by_its_exported_head(store):
    fill(store)
    head = store.head()
    tampered(store, f"DELETE FROM log WHERE sequence = {head.number}", "DELETE FROM picture_tags",
             "UPDATE pictures SET last = 4, text = '' WHERE text LIKE '%portrait%'")  # fmt: skip
    found = store.verify(head)
    assert [one.kind for one in found.problems if one.kind == "head"] and str(head.number) in found.problems[-1].text
    with pytest.raises(InputError, match="NUMBER:HASH"):
        store.verify("12")
