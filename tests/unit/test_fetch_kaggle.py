"""Data sets from Kaggle: what arrives, what is told where it does not, and what is not loaded twice."""

import errno
import io
import json
import re

import pytest

from dfcore import workspace
from dfcore.cli import main
from dfcore.datasets import registry, scan
from dfcore.errors import DfcoreError, InputError, StorageError
from dfcore.hub import fetch, kaggle, record
from dfcore.utils import space
from dfcore.utils.work import Stopped
from tests.standins import kaggle as standin
from tests.unit.fetching import no_credentials, nothing, picture, set_of

pytest.importorskip("kagglehub")

FACES = set_of(f"Dataset/{split}/{name}" for split in ("Train", "Test") for name in ("Real", "Fake"))


@pytest.fixture
def service(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path / "home")
    monkeypatch.setattr(kaggle, "_PAUSE_SECONDS", 0.01)
    with standin.running() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


def archives(service) -> list:
    return service.asked("GET", "/archive/")


def get(text: str = "kaggle:owner/faces", name: str = "", progress=nothing) -> fetch.Outcome:
    return fetch.fetch(fetch.wanted(text, name), progress)


def test_a_set_arrives_whole_registered_and_scanned_and_is_not_loaded_again(service):
    service.add("owner/faces", FACES, licence="CC BY 4.0", title="Faces")
    seen = []
    outcome = get(progress=lambda phase, done, total, unit: seen.append((phase, done, total, unit)))
    assert outcome.counts == {"real": 6, "fake": 6, "unlabelled": 0, "unusable": 0}, outcome.trouble
    assert outcome.folder in registry.registered()
    data = scan(outcome.folder)
    assert "fetched.json" not in f"{data.notes} {data.left_out}"
    assert {name: (outcome.folder / name).read_bytes() for name in FACES} == FACES
    said = record.read(outcome.folder)
    assert (said.source, said.version, said.licence, said.title) == ("kaggle:owner/faces", "1", "CC BY 4.0", "Faces")
    assert set(said.files) == set(FACES)
    phases = list(dict.fromkeys(phase for phase, *_ in seen))
    assert phases == ["Asking about it", "Loading", "Unpacking", "Checking", "Reading the images"]
    assert not list((workspace.data_dir() / fetch.HALF).glob("*/*"))
    asked = len(service.requests)
    again = get()
    assert (again.there, len(service.requests), bool(again.differences)) == (True, asked, False)


@pytest.mark.parametrize(("name", "repository", "folders", "more"), [
    ("cifake", "birdy654/cifake-real-and-ai-generated-synthetic-images",
     ["train/REAL", "train/FAKE", "test/REAL", "test/FAKE"], {}),
    ("deepfake-and-real-images", "manjilkarki/deepfake-and-real-images",
     [f"Dataset/{split}/{label}" for split in ("Train", "Validation", "Test") for label in ("Real", "Fake")], {}),
    ("140k-faces", "xhlulu/140k-real-and-fake-faces",
     [f"real_vs_fake/real-vs-fake/{split}/{name}" for split in ("train", "valid", "test") for name in ("real", "fake")],
     {"train.csv": b",original_path,id,label,label_str,path\n0,/x/0.png,0,1,real,train/real/0.png\n"}),
])  # fmt: skip
def test_known_sets_are_understood_as_they_come(service, name, repository, folders, more):
    service.add(repository, set_of(folders) | more)
    outcome = get(name)
    assert outcome.folder == workspace.data_dir() / name
    assert (outcome.counts["real"], outcome.counts["fake"]) == (3 * len(folders) // 2,) * 2, outcome.trouble


def test_a_connection_that_breaks_is_taken_up_where_it_broke(service):
    files = set_of(["real", "fake"], each=40) | {"notes.bin": bytes(picture(1, 300))}
    service.add("owner/faces", files)
    size = len(service.sets["owner/faces"].archives[1])
    for after in (size // 2, size // 4):
        service.cut("/archive/", after=after)
    outcome = get()
    assert {name: (outcome.folder / name).read_bytes() for name in files} == files
    begins = [int(one.range.removeprefix("bytes=").split("-")[0]) for one in archives(service) if one.range]
    assert begins == sorted(begins) and begins[0] > size // 3


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changed_at_the_service_is_loaded_anew(service, monkeypatch, ranges):
    service.ranges = ranges
    service.add("owner/faces", set_of(["real", "fake"], each=40))
    monkeypatch.setattr(kaggle, "_ATTEMPTS", 1)
    service.cut("/archive/", after=100_000)
    service.cut("/archive/", after=0, times=99)
    with pytest.raises(DfcoreError, match="What was loaded is kept"):
        get()
    service.faults.clear()
    changed = set_of(["fake", "real"], each=40)
    service.sets["owner/faces"].archives[1] = standin.packed(changed)
    before = len(archives(service))
    outcome = get()
    assert {name: (outcome.folder / name).read_bytes() for name in changed} == changed
    assert [one.range for one in archives(service)[before:]] == [""]


def test_a_new_version_replaces_what_was_half_loaded_of_the_old_one(service, monkeypatch):
    service.add("owner/faces", set_of(["real", "fake"], each=40))
    monkeypatch.setattr(kaggle, "_ATTEMPTS", 1)
    service.cut("/archive/", after=100_000)
    service.cut("/archive/", after=0, times=99)
    with pytest.raises(DfcoreError):
        get()
    service.faults.clear()
    service.add("owner/faces", FACES)
    outcome = get()
    assert (outcome.fetched.version, set(outcome.fetched.files)) == ("2", set(FACES))
    assert get("kaggle:owner/faces@1", name="old").fetched.version == "1"


def test_what_is_damaged_on_the_way_is_never_taken(service, monkeypatch):
    service.add("owner/faces", FACES)
    monkeypatch.setattr("kagglehub.integrity.get_md5_checksum_from_response", lambda response: "AAAA")
    monkeypatch.setattr(kaggle, "_ATTEMPTS", 2)
    with pytest.raises(DfcoreError, match="damaged on the way"):
        get()
    assert not (workspace.data_dir() / "faces").exists()


def test_a_service_that_is_busy_is_asked_again(service):
    service.add("owner/faces", FACES)
    service.fail("DownloadDataset", 503, times=2)
    assert get().counts["real"] == 6


def test_what_is_wrong_with_credentials_is_told_and_how_to_mend_it(service, monkeypatch, tmp_path):
    service.add("owner/faces", FACES, private=True)
    with pytest.raises(InputError, match=r"no credentials were found.*kaggle\.com/settings.*KAGGLE_API_TOKEN"):
        get()
    monkeypatch.setenv("KAGGLE_USERNAME", standin.USER)
    with pytest.raises(InputError, match="KAGGLE_USERNAME is set without KAGGLE_KEY"):
        get()
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.setenv("KAGGLE_API_TOKEN", standin.WRONG)
    with pytest.raises(InputError, match="refuses the credentials from the variable KAGGLE_API_TOKEN") as told:
        get()
    assert standin.WRONG not in str(told.value)
    monkeypatch.setenv("KAGGLE_API_TOKEN", standin.TOKEN)
    with pytest.raises(InputError, match="has no data set owner/nothing"):
        get("kaggle:owner/nothing")
    with pytest.raises(InputError, match="owner/faces, version 7"):
        get("kaggle:owner/faces@7")
    service.sets["owner/faces"].consent = True
    with pytest.raises(InputError, match="accept the terms"):
        get()
    service.sets["owner/faces"].consent = False
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    (tmp_path / "home/.kaggle").mkdir(parents=True)
    (tmp_path / "home/.kaggle/kaggle.json").write_text("{")
    with pytest.raises(InputError, match=r"kaggle\.json"):
        get()
    (tmp_path / "home/.kaggle/kaggle.json").write_text(json.dumps({"username": standin.USER, "key": standin.KEY}))
    assert get().counts["real"] == 6
    assert not [one for one in archives(service) if one.token], "credentials went to the storage"


def test_a_service_that_cannot_be_reached_is_told_in_a_line(monkeypatch, tmp_path):
    no_credentials(monkeypatch, tmp_path)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(DfcoreError, match="Kaggle could not be reached"):
        get()


def test_without_room_nothing_is_loaded(service, monkeypatch):
    service.add("owner/faces", FACES)
    monkeypatch.setattr(space, "free_bytes", lambda folder: 1000)
    with pytest.raises(StorageError, match=r"needs .* kB and 200 MB to spare; 1 kB are free in .*DFCORE_DATA"):
        get()
    assert not list(workspace.data_dir().rglob("*.archive"))


def test_a_disk_that_becomes_full_keeps_what_was_loaded(service, monkeypatch):
    service.add("owner/faces", set_of(["real", "fake"], each=60))
    size = len(service.sets["owner/faces"].archives[1])

    class Full:
        """A file on a disk with room for half of it."""

        def __init__(self, path, mode):
            self.file = io.FileIO(path, mode)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, piece):
            if self.file.tell() + len(piece) > size // 2:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(piece)

    with monkeypatch.context() as full:
        full.setattr(kaggle, "open", Full, raising=False)
        with pytest.raises(StorageError, match=r"became full.*What was loaded stays there"):
            get()
    kept = next(workspace.data_dir().rglob("*.archive")).stat().st_size
    assert 0 < kept <= size // 2
    assert get().counts["real"] == 60
    assert archives(service)[-1].range == f"bytes={kept}-"


def test_what_is_unpacked_already_needs_no_room_again(service, monkeypatch):
    service.add("owner/faces", set_of(["real", "fake"], each=40))
    size = len(service.sets["owner/faces"].archives[1])

    def stopped(phase: str, done: int, total: int, unit: str) -> None:
        if phase == "Unpacking" and done > total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        get(progress=stopped)
    unpacked = space.bytes_below(fetch.wanted("kaggle:owner/faces").files)
    assert size // 3 < unpacked < size
    monkeypatch.setattr(space, "free_bytes", lambda folder: space.SPARE_BYTES + size - unpacked)
    assert get().counts["real"] == 40


# === The command ===


def test_the_command_tells_what_it_will_load_and_what_came_of_it(service, capsys):
    service.add("owner/faces", FACES, licence="CC0")
    assert main(["data", "fetch", "kaggle:owner/faces", "--about"]) == 0
    assert "Licence: CC0" in capsys.readouterr().out
    assert main(["data", "fetch", "kaggle:owner/faces"]) == 0
    out = capsys.readouterr().out
    assert "12 files" in out and "6 real, 6 fake" in out and "none found; public sets often need none" in out
    assert main(["data", "fetch", "kaggle:owner/faces", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["there"] is True


def test_verify_finds_what_changed_is_missing_or_was_added(service, capsys):
    service.add("owner/faces", FACES)
    folder = get().folder
    assert main(["data", "fetch", "kaggle:owner/faces", "--verify"]) == 0
    first, second = list(FACES)[:2]
    data = bytearray(FACES[first])
    data[-20] ^= 1
    (folder / first).write_bytes(data)
    (folder / second).unlink()
    (folder / "more.png").write_bytes(picture(9))
    capsys.readouterr()
    assert main(["data", "fetch", "kaggle:owner/faces", "--verify", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["changed"], said["missing"], said["added"]) == ([first], [second], ["more.png"])
    assert main(["data", "fetch", "kaggle:owner/faces"]) == 0
    assert "Missing: 1" in capsys.readouterr().out


def test_verify_and_discard_take_the_name_of_the_folder(service, capsys):
    service.add("owner/faces", FACES)
    get(name="mine")
    assert main(["data", "fetch", "mine", "--verify"]) == 0
    half = workspace.data_dir() / fetch.HALF / "rest"
    half.mkdir()
    assert main(["data", "fetch", "rest", "--discard"]) == 0 and not half.exists()
    assert main(["data", "fetch", "terms", "--discard"]) == 2
    assert "Expected one of those that are not finished (none). Received: 'terms'" in capsys.readouterr().err


def test_nothing_is_left_beside_what_was_fetched(service):
    service.add("owner/faces", FACES)
    get()
    with pytest.raises(InputError):
        get("kaggle:owner/nothing")
    assert list((workspace.data_dir() / fetch.HALF).iterdir()) == []


def test_what_will_not_fit_is_told_before_it_is_tried(service, capsys, monkeypatch):
    service.add("birdy654/cifake-real-and-ai-generated-synthetic-images", FACES)
    monkeypatch.setattr(space, "free_bytes", lambda folder: 10**6)
    main(["data", "fetch", "cifake"])
    out = capsys.readouterr().out
    assert "It does not fit: 105 MB to load" in out and "where 1 MB are free" in out


def test_a_folder_of_films_is_told_for_what_it_is(tmp_path, capsys):
    for name in ("real/a.mp4", "fake/b.mp4"):
        (tmp_path / "films" / name).parent.mkdir(parents=True)
        (tmp_path / "films" / name).write_bytes(b"\0\0\0\x18ftypmp42")
    assert main(["data", "fetch", "faceforensics", "--from", str(tmp_path / "films")]) == 3
    out = capsys.readouterr().out
    assert re.search(r"No images were found in .*It holds 2 videos, such as .*mp4: extract the frames", out)
    layouts = [line for line in out.splitlines() if "{real,fake}" in line]
    assert len(layouts) > 1, "one in a line"


def test_a_folder_that_is_taken_is_left_alone(service, capsys):
    service.add("owner/faces", FACES)
    own = workspace.data_dir() / "faces" / "mine.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    assert main(["data", "fetch", "kaggle:owner/faces"]) == 2
    assert "--name" in capsys.readouterr().err
    assert own.read_text() == "mine"
    assert main(["data", "fetch", "kaggle:owner/faces", "--name", "../out"]) == 2
    assert main(["data", "fetch", "kaggle:owner/faces", "--name", "other"]) == 0


def test_sets_behind_a_signed_request_are_explained_and_taken_from_a_folder(tmp_path, capsys):
    assert main(["data", "fetch", "faceforensics"]) == 2
    assert "signed request" in (told := capsys.readouterr().err) and "--from FOLDER" in told
    for folder in ("original_sequences/youtube/c23/images/001", "manipulated_sequences/Deepfakes/c23/images/001_002"):
        (tmp_path / "ff" / folder).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "ff" / folder / f"{number:04d}.png").write_bytes(picture(number + len(folder)))
    assert main(["data", "fetch", "faceforensics", "--from", str(tmp_path / "ff")]) == 0
    assert "3 real, 3 fake" in capsys.readouterr().out
    assert tmp_path / "ff" in registry.registered()


def test_an_archive_that_was_loaded_by_hand_is_taken(tmp_path, capsys):
    (tmp_path / "by-hand.zip").write_bytes(
        standin.packed(set_of(["train/REAL", "train/FAKE", "test/REAL", "test/FAKE"]))
    )
    assert main(["data", "fetch", "cifake", "--from", str(tmp_path / "by-hand.zip")]) == 0
    assert "6 real, 6 fake" in capsys.readouterr().out
    assert main(["data", "fetch", "cifake", "--verify"]) == 0


def test_the_list_names_every_known_set_with_size_licence_and_layout(capsys):
    assert main(["data", "fetch", "--json"]) == 0
    sets = {one["name"]: one for one in json.loads(capsys.readouterr().out)["known"]}
    assert {"cifake", "deepfake-and-real-images", "140k-faces", "faceforensics"} <= set(sets)
    for one in sets.values():
        assert all(one[name] for name in ("title", "images", "licence", "layout", "good", "bad", "page"))
        assert bool(one["address"]) != bool(one["request"])
    assert main(["data", "fetch"]) == 0
    assert "Licence: MIT" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "faces", "kaggle:faces", "kaggle:a/../b", "hf:a/b/c", "s3:a/b", "kaggle:a/b@new",
                                  "https://www.kaggle.com/datasets/a/b/versions", "https://huggingface.co/a/b",
                                  "https://www.kaggle.com/datasets/a/b/else/3",
                                  "https://www.kaggle.com/datasets/a/b/versions/3/else"])  # fmt: skip
def test_what_is_no_address_is_refused_with_what_would_be_one(text):
    with pytest.raises(InputError, match="Expected"):
        fetch.wanted(text)


def test_the_address_of_a_page_is_an_address():
    for text in ("https://www.kaggle.com/datasets/birdy654/cifake-real-and-ai-generated-synthetic-images/data?select=x",
                 "kaggle:birdy654/cifake-real-and-ai-generated-synthetic-images"):  # fmt: skip
        assert fetch.wanted(text).known.name == "cifake"
    assert str(fetch.wanted("https://huggingface.co/datasets/owner/set/tree/main").source) == "hf:owner/set"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("https://www.kaggle.com/datasets/owner/faces/versions/1", "kaggle:owner/faces@1"),
        ("kaggle.com/datasets/owner/faces/versions/1/data?select=x", "kaggle:owner/faces@1"),
        ("https://www.kaggle.com/datasets/owner/faces/download?datasetVersionNumber=2", "kaggle:owner/faces@2"),
        ("https://huggingface.co/datasets/owner/set/tree/v1", "hf:owner/set@v1"),
        ("https://huggingface.co/datasets/owner/set/tree/feature%2Fx", "hf:owner/set@feature/x"),
        ("https://huggingface.co/datasets/owner/set/resolve/refs%2Fconvert%2Fparquet/x.parquet",
         "hf:owner/set@refs/convert/parquet"),
        ("https://huggingface.co/datasets/owner/set/viewer/default/train?row=3", "hf:owner/set"),
        ("hf:\N{WORD JOINER}owner/set", "hf:owner/set"),
    ],
)  # fmt: skip
def test_the_address_of_a_page_is_that_of_the_version_that_it_shows(text, source):
    assert str(fetch.wanted(text).source) == source


@pytest.mark.parametrize("end", ["tree/v1/data", "tree/feature/x", "tree/refs/pr/1/data", "blob/main/one.zip",
                                 "resolve/main/a/one.zip", "commits/main/one.zip"])  # fmt: skip
def test_the_address_of_a_part_is_not_taken_for_that_of_the_whole(end):
    with pytest.raises(
        InputError, match=rf"a repository, which is loaded as a whole.*@REVISION.*Received: .*'{end}' n"
    ):
        fetch.wanted(f"https://huggingface.co/datasets/owner/set/{end}")


def test_the_address_of_a_version_loads_that_version(service):
    for files in (FACES, FACES | {"more.txt": b"2"}):
        service.add("owner/faces", files)
    assert get("https://www.kaggle.com/datasets/owner/faces/versions/1").fetched.version == "1"
    with pytest.raises(InputError, match="holds version 1 of it, not 2"):
        get("https://www.kaggle.com/datasets/owner/faces/versions/2")


def test_a_wrong_version_is_not_said_to_be_no_known_set():
    with pytest.raises(InputError, match=r"Received: 'kaggle:owner/faces@latest'\.$"):
        fetch.wanted("kaggle:owner/faces@latest")
    with pytest.raises(InputError, match="none of the known sets either"):
        fetch.wanted("cifak")
