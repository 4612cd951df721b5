"""Data sets from the Hugging Face Hub: folders, archives and tables, refusals, interruption and a full disk."""

import errno
import io
import os
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dfcore import workspace
from dfcore.cli import main
from dfcore.errors import DfcoreError, InputError, StorageError
from dfcore.hub import fetch, hugging_face_data, record, tables
from dfcore.utils import space
from dfcore.utils.work import Stopped
from tests.standins import hugging_face as standin
from tests.standins.kaggle import packed
from tests.unit.fetching import no_credentials, nothing, picture, set_of

pytest.importorskip("huggingface_hub")
datasets = pytest.importorskip("datasets")

FILES = set_of(f"{split}/{name}" for split in ("train", "test") for name in ("real", "fake"))


@pytest.fixture
def hub(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path / "home")
    with standin.running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.address)
        yield running


@pytest.fixture
def unread(monkeypatch):
    """Leaves out the scan, where a test is about something else."""
    monkeypatch.setattr(fetch, "understand", lambda outcome, progress: outcome)


def get(text: str = "hf:owner/faces", name: str = "") -> fetch.Outcome:
    return fetch.fetch(fetch.wanted(text, name), nothing)


def table(rows: dict, **features) -> bytes:
    """A Parquet file as the library writes it."""
    out = io.BytesIO()
    pq.write_table(pa.table(rows, schema=datasets.Features(features).arrow_schema), out)
    return out.getvalue()


def loads(hub) -> list[str]:
    """Files whose content was asked for."""
    return [
        one.path for one in hub.requests if one.method == "GET" and ("/resolve/" in one.path or "/far/" in one.path)
    ]


def cut_short(hub) -> None:
    """A fetch that ended before its last file came; the hub is well again."""
    hub.store.add("dataset", "owner/faces", FILES)
    hub.fail("test/fake/2.png", 403, times=99)
    with pytest.raises(DfcoreError):
        get()
    hub.faults.clear()


def test_a_folder_of_images_arrives_at_a_commit_and_without_code(hub):
    told = hub.store.add("dataset", "owner/faces", FILES | {"load.py": b"raise SystemExit(9)"}, card={"license": "mit"})
    outcome = get()
    assert (outcome.counts["real"], outcome.counts["fake"], outcome.trouble) == (6, 6, "")
    assert {name: (outcome.folder / name).read_bytes() for name in FILES} == FILES
    said = record.read(outcome.folder)
    assert (said.source, said.licence) == ("hf:owner/faces", "mit")
    assert said.version in told.commits and len(said.version) == 40
    assert said.left_out == (("load.py", "Code is not loaded."),)
    assert not [path for path in loads(hub) if "load.py" in path]
    asked = len(hub.requests)
    assert (get().there, len(hub.requests)) == (True, asked)


def test_pictures_in_tables_become_files_with_their_very_bytes(hub):
    rows = range(8)
    pictures = {split: [picture(number + at) for number in rows] for split, at in (("train", 0), ("test", 100))}
    tables = {
        f"data/{split}-00000-of-00001.parquet": table(
            {"image": [{"bytes": data, "path": "x.png"} for data in found], "label": [n % 2 for n in rows],
             "generator": ["" if not n % 2 else "SD/1.5" if n < 4 else "ADM" for n in rows]},
            image=datasets.Image(), label=datasets.ClassLabel(names=["real", "fake"]),
            generator=datasets.Value("string"),
        )
        for split, found in pictures.items()
    }  # fmt: skip
    hub.store.add("dataset", "owner/faces", tables)
    outcome = get()
    assert (outcome.counts["real"], outcome.counts["fake"], outcome.counts["unusable"]) == (8, 8, 0)
    for split, found in pictures.items():
        real = {path.read_bytes() for path in (outcome.folder / split / "real").rglob("*.png")}
        fake = {path.read_bytes() for path in (outcome.folder / split / "fake").rglob("*.png")}
        assert (real, fake) == (set(found[::2]), set(found[1::2]))
    groups = {path.parent.name for path in outcome.folder.glob("*/fake/*/*.png")}
    assert groups == {"SD_1.5", "ADM"}
    hosts = {one.host.split(":")[0] for one in hub.requests}
    assert hosts <= {"127.0.0.1", "localhost"}
    assert not [one for one in hub.requests if "telemetry" in one.path]


def test_bare_numbers_are_not_taken_for_classes(hub):
    rows = {"image": [{"bytes": picture(n), "path": f"{n}.png"} for n in range(6)], "label": [n % 2 for n in range(6)]}
    hub.store.add("dataset", "owner/faces", {
        "train.parquet": table(rows, image=datasets.Image(), label=datasets.Value("int64"))
    })  # fmt: skip
    outcome = get()
    assert outcome.trouble and outcome.counts is None
    assert sorted(path.name for path in outcome.folder.iterdir() if path.is_dir()) == ["label_0", "label_1"]


def test_what_is_no_picture_in_a_table_is_left_out_with_its_reason(hub, unread):
    rows = {"image": [{"bytes": b"no picture", "path": "a.png"}, {"bytes": None, "path": "https://x.test/b.png"},
                      {"bytes": picture(1), "path": "../../c.png"}], "label": [0, 0, 1]}  # fmt: skip
    names = datasets.ClassLabel(names=["../real", "fake"])
    hub.store.add("dataset", "owner/faces", {"train.parquet": table(rows, image=datasets.Image(), label=names)})
    outcome = get()
    assert [name for name in outcome.fetched.files if name.endswith(".png")] == ["fake/c.png"]
    assert len(outcome.fetched.left_out) == 2 and "only its name or address" in outcome.fetched.left_out[1][1]


def test_a_table_without_pictures_is_told(hub):
    hub.store.add("dataset", "owner/faces", {"train.parquet": table({"text": ["a"]}, text=datasets.Value("string"))})
    with pytest.raises(DfcoreError, match=r"no pictures.*Received: text \(text\)\."):
        get()
    assert not (workspace.data_dir() / "faces").exists()


def test_pictures_that_no_table_calls_so_are_pictures(hub):
    group = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    rows = {"image": [{"bytes": picture(n), "path": f"{n}.png"} for n in range(6)], "label": ["real", "fake"] * 3}
    hub.store.add("dataset", "owner/faces", {"train.parquet": plain_table(rows)})
    outcome = get()
    assert (outcome.counts["real"], outcome.counts["fake"]) == (3, 3)
    assert tables._called(group) == "a group of bytes, path"


def plain_table(rows: dict) -> bytes:
    """A Parquet file as any other program writes it."""
    out = io.BytesIO()
    pq.write_table(pa.table(rows), out)
    return out.getvalue()


def test_the_address_of_a_revision_is_that_revision(hub, unread):
    told = hub.store.add("dataset", "owner/faces", FILES)
    first = told.refs["main"]
    told.commit({"more.txt": "2"})
    with pytest.raises(InputError, match="no revision 'nope'"):
        fetch.describe(fetch.wanted(f"{hub.address}/datasets/owner/faces/tree/nope").source)
    assert get(f"{hub.address}/datasets/owner/faces/tree/{first}").fetched.version == first
    assert fetch.wanted("hf:owner/faces").source.page == f"{hub.address}/datasets/owner/faces"


def test_a_detector_is_told_from_a_data_set(hub):
    hub.store.add("model", "owner/net", {"card.json": b"{}"})
    with pytest.raises(InputError, match=r"of a data set\. Received that of a model.*dfcore pull hf:owner/net"):
        get("hf:owner/net")


def test_archives_in_a_repository_are_unpacked_where_they_lie(hub):
    hub.store.add("dataset", "owner/faces", {f"{split}.zip": packed(set_of(["real", "fake"], 3 + at))
                                             for at, split in enumerate(("train", "test"))})  # fmt: skip
    outcome = get()
    assert (outcome.counts["real"], outcome.counts["fake"]) == (7, 7)
    assert (outcome.folder / "train/real/0.png").is_file() and not list(outcome.folder.rglob("*.zip"))


def test_what_is_complete_is_not_loaded_again_after_a_failure(hub, unread):
    hub.store.add("dataset", "owner/faces", FILES)
    hub.fail("test/fake/2.png", 403, times=99)
    with pytest.raises(DfcoreError, match="does not let the account of nobody read owner/faces"):
        get()
    before = {path for path in loads(hub) if "2.png" not in path}
    hub.faults.clear()
    hub.requests.clear()
    outcome = get()
    assert {name: (outcome.folder / name).read_bytes() for name in FILES} == FILES
    assert "test/fake/2.png" in str(loads(hub)) and not set(loads(hub)) & before


def test_a_file_that_changed_on_the_way_or_on_the_disk_is_found_by_the_hubs_hashes(hub, unread, monkeypatch):
    cut_short(hub)
    half = fetch.wanted("hf:owner/faces").half / "load"
    victim = next(path for path in half.rglob("*.png"))
    stat = victim.stat()
    data = bytearray(victim.read_bytes())
    data[-9] ^= 255
    victim.write_bytes(data)
    os.utime(victim, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # So that only its content tells.
    outcome = get()
    assert {name: (outcome.folder / name).read_bytes() for name in FILES} == FILES


def test_a_commit_that_came_meanwhile_is_the_one_that_is_fetched(hub, unread):
    hub.store.add("dataset", "owner/faces", FILES | {"test/fake/0.old.png": picture(500)})
    hub.fail("test/fake/2.png", 403, times=99)
    with pytest.raises(DfcoreError):
        get()
    hub.faults.clear()
    hub.store.add("dataset", "owner/faces", FILES | {"train/real/0.png": picture(501)})
    hub.store.repositories["dataset", "owner/faces"].commit({"test/fake/0.old.png": None}, "less", "main")
    outcome = get()
    assert (outcome.folder / "train/real/0.png").read_bytes() == picture(501)
    assert set(outcome.fetched.files) == set(FILES)


def test_what_is_wrong_with_credentials_is_told_and_how_to_mend_it(hub, unread, monkeypatch):
    hub.store.add("dataset", "tester/gated", FILES, gated=True)
    with pytest.raises(InputError, match=r"want to know who asks.*huggingface\.co/settings/tokens.*HF_TOKEN"):
        get("hf:tester/gated")
    with pytest.raises(InputError, match=r"has no owner/nothing, or it is private and needs a token.*HF_TOKEN"):
        get("hf:owner/nothing")
    monkeypatch.setenv("HF_TOKEN", standin.WRONG)
    with pytest.raises(InputError, match="refuses the credentials from the variable HF_TOKEN") as told:
        get("hf:tester/gated")
    assert standin.WRONG not in str(told.value)
    monkeypatch.setenv("HF_TOKEN", standin.TOKEN)
    hub.store.add("dataset", "owner/gated", FILES, gated=True)
    with pytest.raises(InputError, match="accept the terms"):
        get("hf:owner/gated")
    with pytest.raises(InputError, match="has no revision 'v9'"):
        get("hf:tester/gated@v9")
    assert get("hf:tester/gated").fetched.version
    assert not [one for one in hub.requests if one.host.startswith("localhost") and one.token]


def test_a_hub_that_cannot_be_reached_is_told_in_a_line(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DfcoreError, match="Hub could not be reached"):
        get()


def test_a_disk_that_becomes_full_keeps_what_is_complete(hub, unread, monkeypatch):
    hub.store.add("dataset", "owner/faces", FILES)
    import huggingface_hub.file_download as library

    whole, count = library.http_get, iter(range(1000))

    def full(*args, **options):
        if next(count) >= 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*args, **options)

    monkeypatch.setattr(hugging_face_data, "_WORKERS", 1)
    with monkeypatch.context() as one:
        one.setattr(library, "http_get", full)
        with pytest.raises(StorageError, match=r"became full.*What was loaded stays there"):
            get()
    before = len(loads(hub))
    assert len(list((fetch.wanted("hf:owner/faces").half / "load").rglob("*.png"))) == 5
    assert set(get().fetched.files) == set(FILES)
    assert len({path for path in loads(hub)[before:] if "/far/" in path}) == len(FILES) - 5


def test_shards_of_a_webdataset_are_written_out_and_other_archives_unpacked(hub, unread):
    shard, plain = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as tar:
        for number in range(4):
            for suffix, data in (("png", picture(number)), ("cls", b"%d" % (number % 2))):
                one = tarfile.TarInfo(f"{number:03d}.{suffix}")
                one.size = len(data)
                tar.addfile(one, io.BytesIO(data))
    with tarfile.open(fileobj=plain, mode="w") as tar:
        one = tarfile.TarInfo("real/1.png")
        one.size = len(picture(1))
        tar.addfile(one, io.BytesIO(picture(1)))
    hub.store.add("dataset", "owner/faces", {"train-00000.tar": shard.getvalue()})
    files = get().fetched.files
    assert sorted(files) == ["cls_0/000.png", "cls_0/002.png", "cls_1/001.png", "cls_1/003.png"]
    hub.store.add("dataset", "owner/plain", {"train.tar": plain.getvalue()})
    assert list(get("hf:owner/plain").fetched.files) == ["train/real/1.png"]


def test_a_branch_that_moved_on_is_not_taken_for_what_is_there(hub, unread):
    told = hub.store.add("dataset", "owner/faces", FILES)
    assert not get("hf:owner/faces@main").there
    assert get("hf:owner/faces@main").there
    told.commit({"train/real/0.png": picture(700)}, "more", "main")
    with pytest.raises(InputError, match="Choose another name"):
        get("hf:owner/faces@main")
    assert get("hf:owner/faces").there


# === Pictures that lie beside the tables ===


def test_a_table_among_pictures_costs_none_of_them(hub):
    notes = table({"text": ["a"]}, text=datasets.Value("string"))
    hub.store.add("dataset", "owner/faces", FILES | {"train/notes.parquet": notes, "README.md": b"A set"})
    outcome = get()
    assert (outcome.counts["real"], outcome.counts["fake"], outcome.fetched.left_out) == (6, 6, ())
    assert {name: (outcome.folder / name).read_bytes() for name in FILES} == FILES
    assert (outcome.folder / "train/notes.parquet").read_bytes() == notes


def test_a_picture_that_a_table_only_names_is_taken_from_its_file(hub, unread, tmp_path):
    (tmp_path / "outside.png").write_bytes(picture(99))
    named = ["pictures/1.png", str(tmp_path / "outside.png"), "../../../outside.png", "https://x.test/2.png"]
    rows = {"image": [{"bytes": picture(0), "path": "0.png"}, *({"bytes": None, "path": one} for one in named)],
            "label": [0, 1, 1, 1, 1]}  # fmt: skip
    hub.store.add("dataset", "owner/faces", {
        "data/train.parquet": table(rows, image=datasets.Image(), label=datasets.ClassLabel(names=["real", "fake"])),
        "pictures/1.png": picture(1),
    })  # fmt: skip
    outcome = get()
    assert set(outcome.fetched.files) == {"real/0.png", "fake/1.png"}
    assert (outcome.folder / "fake/1.png").read_bytes() == picture(1)
    assert len(outcome.fetched.left_out) == 3


def test_tables_of_which_no_picture_can_be_written_keep_what_was_loaded(hub):
    rows = {"image": [{"bytes": None, "path": f"https://x.test/{n}.png"} for n in range(3)]}
    hub.store.add("dataset", "owner/faces", {"train.parquet": table(rows, image=datasets.Image()), "README.md": b"x"})
    with pytest.raises(DfcoreError, match=r"None of the 3 pictures .* only its name or address"):
        get()
    what = fetch.wanted("hf:owner/faces")
    assert not what.folder.exists() and (what.half / "load/train.parquet").is_file()


def test_more_than_can_be_named_is_counted(hub, unread, monkeypatch, capsys):
    rows = {"image": [{"bytes": b"no picture", "path": f"{n}.png"} for n in range(5)] + [{"bytes": picture(1)}]}
    hub.store.add("dataset", "owner/faces", {"train.parquet": table(rows, image=datasets.Image())})
    monkeypatch.setattr(tables, "_MOST_LEFT_OUT", 2)
    monkeypatch.setattr("dfcore.commands.fetch._MOST", 1)
    assert main(["data", "fetch", "hf:owner/faces"]) == 3
    told = capsys.readouterr().out
    assert "Left out: 5\n" in told and "and 4 more; fetched.json names 2 of all." in told
    said = record.read(workspace.data_dir() / "faces")
    assert (len(said.left_out), said.left_out_more, said.left_out_in_all) == (2, 3, 5)


def test_a_split_without_rows_is_no_obstacle(hub, unread):
    rows = {"image": [{"bytes": picture(n), "path": f"{n}.png"} for n in range(2)]}
    empty = io.BytesIO()
    pq.ParquetWriter(empty, datasets.Features(image=datasets.Image()).arrow_schema).close()
    hub.store.add("dataset", "owner/faces", {
        "data/train.parquet": empty.getvalue(), "data/test.parquet": table(rows, image=datasets.Image()),
    })  # fmt: skip
    assert set(get().fetched.files) == {"test/0.png", "test/1.png"}


# === Going on, and file systems without links ===


def test_a_copy_that_was_cut_off_is_not_taken_for_whole(hub, unread):
    cut_short(hub)
    cut = fetch.wanted("hf:owner/faces").half / "files/train/real/0.png"
    cut.parent.mkdir(parents=True)
    cut.write_bytes(FILES["train/real/0.png"][:100])
    assert (get().folder / "train/real/0.png").read_bytes() == FILES["train/real/0.png"]


def test_room_for_copies_is_asked_for_where_there_are_no_links(hub, unread, monkeypatch):
    hub.store.add("dataset", "owner/faces", FILES)
    size = sum(map(len, FILES.values()))
    monkeypatch.setattr(space, "free_bytes", lambda folder: space.SPARE_BYTES + size * 3 // 2)
    with monkeypatch.context() as one:
        one.setattr(fetch, "links_work", lambda file: False)
        with pytest.raises(StorageError, match="Loading and writing out"):
            get()
    assert set(get().fetched.files) == set(FILES)


def test_what_is_written_out_already_needs_no_room_again(hub, unread, monkeypatch):
    rows = {"image": [{"bytes": picture(n, 60), "path": f"{n}.png"} for n in range(8)]}
    data = table(rows, image=datasets.Image())
    hub.store.add("dataset", "owner/faces", {"train.parquet": data})

    def stopped(phase: str, done: int, total: int, unit: str) -> None:
        if phase == "Writing the images" and done == 6:
            raise Stopped

    with pytest.raises(Stopped):
        fetch.fetch(fetch.wanted("hf:owner/faces"), stopped)
    written = space.bytes_below(fetch.wanted("hf:owner/faces").files)
    assert written > len(data) // 2
    monkeypatch.setattr(space, "free_bytes", lambda folder: space.SPARE_BYTES + len(data) - written)
    assert len(get().fetched.files) == 8


def test_code_is_not_loaded_whatever_the_case_of_its_name(hub, unread):
    code = {"tools/x.PY": b"1", "run.SH": b"2", "a.Ipynb": b"3"}
    hub.store.add("dataset", "owner/faces", FILES | code)
    outcome = get()
    assert set(outcome.fetched.files) == set(FILES)
    assert sorted(name for name, _ in outcome.fetched.left_out) == sorted(code)
    assert not [path for path in loads(hub) if path.partition("?")[0].endswith(("x.PY", "run.SH", "a.Ipynb"))]


def test_a_zip_beside_its_folder_replaces_nothing_in_it(hub, unread):
    own = packed({"real/0.png": picture(800), "real/9.png": picture(801)})
    hub.store.add("dataset", "owner/faces", FILES | {"train.zip": own})
    outcome = get()
    assert {name: (outcome.folder / name).read_bytes() for name in FILES} == FILES
    assert (outcome.folder / "train/real/9.png").read_bytes() == picture(801)
    assert [name for name, _ in outcome.fetched.left_out] == ["train/real/0.png"]
