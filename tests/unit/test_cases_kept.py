"""What is kept and for how long: deletion, pictures themselves, retention, backups, versions of the tables."""

import json
import shutil
import sqlite3
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dfcore.cases import Query, Store
from dfcore.errors import InputError, StorageError
from dfcore.utils.files import sha256_bytes
from tests.unit.cases import a_judgement, a_picture, fill, tampered

DATA = Path(__file__).parents[1] / "data" / "cases"


def kept_picture(store: Store, data: bytes = b"the bytes of a picture") -> str:
    """A picture of the store that is kept itself."""
    sha256 = sha256_bytes(data)
    store.remember(a_picture(sha256=sha256), a_judgement(name="secret.jpg"))
    store.keep_image(sha256, data, by="ada")
    return sha256


def contents(store: Store) -> str:
    """All text in the log."""
    from sqlalchemy import text

    with store.database.reading() as connection:
        return str(connection.execute(text("SELECT * FROM log")).all())


def test_a_deleted_picture_leaves_a_tombstone_and_nothing_else(store, tmp_path):
    names, head = fill(store), store.head()
    sha256 = kept_picture(store)
    store.note("about somebody", by="ada", picture=sha256)
    store.file(1, [sha256], by="ada")
    store.forget(sha256, by="cleo", why="asked for by the person")
    with pytest.raises(InputError, match="Expected the SHA-256"):
        store.history(sha256)
    assert store.image(sha256) is None and not list((tmp_path / "images").glob("*/*"))
    assert "somebody" not in contents(store) and "secret" not in contents(store)
    assert "asked for by the person" in contents(store) and store.case(1).pictures == 2
    found = store.verify(head)
    assert found.holds and found.rows == store.head().number
    store.remember(a_picture(sha256=sha256), a_judgement())  # It may come again, and be deleted again.
    assert store.search().total == len(names) + 1
    store.forget(sha256, by="cleo", why="again")
    assert store.verify().holds
    with pytest.raises(InputError, match="reason"):
        store.forget(names[0], by="cleo", why=" ")


def test_what_was_deleted_is_not_left_in_the_file(tmp_path):
    with Store(f"sqlite:///{tmp_path / 'cases.db'}", tmp_path / "images") as store:
        store.remember(a_picture(name="unmistakable-name.jpg"), a_judgement(record={"text": "unmistakable-record"}))
        store.forget(a_picture().sha256, by="ada", why="asked for")
    held = b"".join(path.read_bytes() for path in tmp_path.glob("cases.db*"))
    assert b"unmistakable" not in held


def test_a_deletion_without_a_tombstone_or_taken_back_is_found(store):
    fill(store)
    store.remember(a_picture(7), a_judgement())
    number = store.history(a_picture(7).sha256).judgements[0].id
    tampered(store, f"CREATE TABLE aside AS SELECT * FROM log WHERE sequence = {number}")
    store.forget(a_picture(7).sha256, by="ada", why="asked for")
    tampered(store, f"DELETE FROM log WHERE sequence = {number}", "INSERT INTO log SELECT * FROM aside")
    assert ("inserted", number) in {(one.kind, one.number) for one in store.verify().problems}


def test_a_deleted_case_leaves_its_pictures(store):
    names = fill(store)
    store.delete_case(1, by="cleo", why="opened by mistake")
    history = store.history(names[0])
    assert history.cases == () and history.notes == () and history.judgements
    assert [one.decided for one in history.decisions] == ["fake"]  # It was not made within the case.
    assert store.cases().total == 0 and store.verify().holds
    assert store.create_case("The next", by="ada").id == 2
    with pytest.raises(InputError, match="number of a case"):
        store.case(1)


def test_pictures_are_kept_only_as_they_are(store, address, tmp_path):
    sha256 = kept_picture(store)
    assert store.image(sha256) == b"the bytes of a picture" and store.history(sha256).image
    assert store.keep_image(sha256, b"the bytes of a picture", by="ada") is False
    with pytest.raises(InputError, match="another hash"):
        store.keep_image(sha256, b"other bytes", by="ada")
    with pytest.raises(InputError, match="SHA-256"):
        store.keep_image(sha256_bytes(b"unknown"), b"unknown", by="ada")
    file = next((tmp_path / "images").glob("*/*"))
    file.write_bytes(b"altered")
    with pytest.raises(StorageError, match="altered"):
        store.image(sha256)
    assert [one.kind for one in store.verify().problems] == ["image"]
    file.unlink()
    assert store.image(sha256) is None and "gone" in store.verify().problems[0].text
    assert store.drop_image(sha256, by="ada", why="no longer needed") and store.verify().holds
    file.write_bytes(b"the bytes of a picture")  # As if killed while it was deleted.
    assert "not to be kept" in store.verify().problems[0].text
    store.prune("2020-01-01", by="ada")
    assert store.verify().holds and store.history(sha256).judgements
    file.write_bytes(b"the bytes of a picture")
    with Store(address, tmp_path / "images") as opened:
        assert opened.verify().holds


def test_retention_by_age_spares_open_cases_and_what_was_spoken_of_since(store):
    names = fill(store, 6)
    store.create_case("An open one", by="ada")
    store.file(2, names[2:3], by="ada")
    store.change_case(1, closed=True, by="ada")
    assert store.prune("2020-01-01", by="ada") == replace(store.prune("2020-01-01", by="ada"), pictures=0, cases=0)
    from dfcore.cases.entry import now

    limit = now()
    while now() == limit:  # The next entry is to be later.
        pass
    store.note("still needed", by="ada", picture=names[3])
    done = store.prune(limit, by="ada")
    assert (done.pictures, done.cases, done.spared) == (4, 1, 1)
    assert {row.picture.sha256 for row in store.search().rows} == set(names[2:4])
    assert store.verify().holds


def restored_into(address: str, folder: Path, file: Path) -> Store:
    """A new store with what a backup holds."""
    new = Store(address, folder / "restored")
    new.restore(file)
    return new


@pytest.mark.parametrize("into", ["sqlite", "postgresql"])
def test_a_backup_is_one_file_and_goes_into_either_database(store, into, tmp_path, request):
    names, sha256 = fill(store), kept_picture(store)
    store.remember(a_picture(7), a_judgement())
    store.forget(a_picture(7).sha256, by="ada", why="asked for")
    before = [store.history(name) for name in (*names, sha256)], store.search(), store.cases(), store.head()
    copied = store.backup(tmp_path / "backup.zip")
    assert (copied.head, copied.images, copied.missing) == (store.head(), 1, ())
    with pytest.raises(InputError, match="exists"):
        store.backup(tmp_path / "backup.zip")
    with pytest.raises(InputError, match="empty store"):
        store.restore(tmp_path / "backup.zip")
    target = f"sqlite:///{tmp_path / 'other.db'}"
    if into == "postgresql":
        target = request.getfixturevalue("postgres")
        store.close()
        request.getfixturevalue("emptied")()
    with restored_into(target, tmp_path, tmp_path / "backup.zip") as new:
        after = [new.history(name) for name in (*names, sha256)], new.search(), new.cases(), new.head()
        assert after == before and new.verify(before[-1]).holds
        assert new.image(sha256) == b"the bytes of a picture"
        new.remember(a_picture(9), a_judgement())
        assert new.verify(before[-1]).holds


@pytest.fixture
def emptied(postgres):
    """Empties the server's database when called."""
    from tests import postgresql

    return lambda: postgresql.empty(postgres)


def test_a_damaged_backup_restores_nothing(tmp_path):
    with Store(f"sqlite:///{tmp_path / 'cases.db'}", tmp_path / "images") as store:
        fill(store)
        store.backup(tmp_path / "backup.zip")
    whole = (tmp_path / "backup.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "backup.zip") as archive:
        about, lines = archive.read("store.json"), archive.read("log.jsonl").splitlines(keepends=True)

    def made(about: bytes, lines: list[bytes]) -> None:
        with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
            archive.writestr("store.json", about)
            archive.writestr("log.jsonl", b"".join(lines))

    with Store(f"sqlite:///{tmp_path / 'new.db'}", tmp_path / "new") as new:
        for bad in (whole[: len(whole) // 2], b"", b"text", whole[:-30]):
            (tmp_path / "bad.zip").write_bytes(bad)
            with pytest.raises(InputError, match="Expected a backup"):
                new.restore(tmp_path / "bad.zip")
        for parts in (
            (about, lines[:-1]), (about, lines[1:]), (about, [*lines, b"{}\n"]), (about, [b"[]\n"]), (b"{}", lines),
            (about.replace(b'"format": 1', b'"format": 2'), lines), (about, [*lines[:-1], lines[-1][:-1]]),
            (about, [lines[0].replace(b'"body":"', b'"body":"x'), *lines[1:]]),
        ):  # fmt: skip
            made(*parts)
            with pytest.raises(InputError, match="Expected a backup"):
                new.restore(tmp_path / "bad.zip")
        with pytest.raises(InputError, match="does not exist"):
            new.restore(tmp_path / "nowhere.zip")
        assert new.head().number == 0 and new.search().total == 0


def test_a_backup_of_an_altered_log_is_restored_and_still_found_altered(tmp_path):
    with Store(f"sqlite:///{tmp_path / 'cases.db'}", tmp_path / "images") as store:
        fill(store)
        tampered(store, "UPDATE log SET by = 'mallory' WHERE sequence = 2")
        store.backup(tmp_path / "backup.zip")
    with restored_into(f"sqlite:///{tmp_path / 'new.db'}", tmp_path, tmp_path / "backup.zip") as new:
        assert [(one.kind, one.number) for one in new.verify().problems] == [("altered", 2)]


def test_the_stored_database_of_the_first_version_opens_and_holds(tmp_path):
    shutil.copy(DATA / "version1.db", tmp_path / "cases.db")
    expected = json.loads((DATA / "version1.json").read_text(encoding="utf-8"))
    with Store(f"sqlite:///{tmp_path / 'cases.db'}", tmp_path / "images") as store:
        assert store.verify(expected["head"]).holds
        assert {row.picture.name: row.judgement.score for row in store.search().rows} == expected["scores"]
        assert [one.title for one in store.cases().rows] == expected["cases"]
        assert store.search(Query(decided="fake")).total == 1
        store.remember(a_picture(99), a_judgement())
        assert store.verify(expected["head"]).holds


def test_the_stored_backup_of_the_first_version_restores(store):
    expected = json.loads((DATA / "version1.json").read_text(encoding="utf-8"))
    store.restore(DATA / "version1-backup.zip")
    assert store.verify(expected["head"]).holds
    assert {row.picture.name: row.judgement.score for row in store.search().rows} == expected["scores"]


def test_migrations_make_the_tables_that_the_code_expects(store):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from dfcore.cases.tables import METADATA

    with store.database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


_SECOND = '''
"""A change of a later version."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.add_column("cases", sa.Column("colour", sa.Text))
    {}
'''


def later_version(monkeypatch, folder: Path, then: str = "") -> None:
    """Makes this version one with a further change of the tables."""
    from dfcore.cases import migrate

    shutil.copytree(Path(migrate.__file__).parent / "migrations", folder, ignore=shutil.ignore_patterns("*.pyc"))
    (folder / "versions" / "second.py").write_text(_SECOND.format(then), encoding="utf-8")
    monkeypatch.setattr(migrate, "_SCRIPTS", folder)
    monkeypatch.setattr(migrate, "NEWEST", "0002")


def test_an_older_database_is_brought_up_to_date_and_a_newer_one_refused(store, address, tmp_path, monkeypatch):
    names = fill(store)
    with monkeypatch.context() as patch:
        later_version(patch, tmp_path / "later")
        with Store(address, tmp_path / "images") as later:
            assert later.verify().holds and later.history(names[0]).decisions
            with later.database.reading() as connection:
                connection.exec_driver_sql("SELECT colour FROM cases")
    with pytest.raises(StorageError, match=r"newer version.*0002.*left as it is"):
        Store(address, tmp_path / "images")


def test_a_change_that_fails_leaves_the_database_as_it_was(store, address, tmp_path, monkeypatch):
    fill(store)
    with monkeypatch.context() as patch:
        later_version(patch, tmp_path / "later", "op.execute('SELECT colour FROM nowhere')")
        with pytest.raises(StorageError, match="nowhere"):
            Store(address, tmp_path / "images")
    with Store(address, tmp_path / "images") as again:
        assert again.verify().holds
        with pytest.raises(StorageError, match="colour"), again.database.reading() as connection:
            connection.exec_driver_sql("SELECT colour FROM cases")


def test_damage_within_a_database_is_told_and_it_is_left_as_it_is(tmp_path):
    file = tmp_path / "cases.db"
    with Store(f"sqlite:///{file}", tmp_path / "images") as store:
        fill(store, 200)
        store.database.truncate_journal()
    content = bytearray(file.read_bytes())
    content[8192 : len(content) // 2] = b"\xff" * (len(content) // 2 - 8192)
    file.write_bytes(content)
    with pytest.raises(StorageError, match=r"damaged.*restore"), Store(f"sqlite:///{file}", tmp_path) as store:
        store.verify()
        raise AssertionError("verify found no damage")
    assert sqlite3.connect(file).close() is None


def test_changed_detectors_are_told_apart(store):
    from dfcore.cases.changes import Detector

    card, network = "c" * 64, "d" * 64
    for number, key in enumerate(("same", "settings", "network", "gone", "renamed")):
        store.remember(a_picture(number), a_judgement(detector=key, card_sha256=f"{number}" * 64))
    store.remember(a_picture(5), a_judgement(None, finding=None, error="no picture", detector="gone"))
    there = {
        "same": Detector("0" * 64, network), "settings": Detector(card, network), "network": Detector(card, "e" * 64),
        "new name": Detector("4" * 64, network),
    }  # fmt: skip
    found = store.changed(there)
    assert {one.row.picture.sha256: one.how for one in found.rows} == {
        a_picture(1).sha256: "settings", a_picture(2).sha256: "network", a_picture(3).sha256: "gone",
    }  # fmt: skip
    store.create_case("One", by="ada")
    store.file(1, [a_picture(2).sha256], by="ada")
    assert [one.how for one in store.changed(there, case=1).rows] == ["network"]
    assert found.total == 3 and len(store.changed(there, limit=1, offset=1).rows) == 1
